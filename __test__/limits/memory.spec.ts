/** Memory of all kinds: what a plugin can't have it is refused, and what it can't be refused ends its process alone. */
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { attack, HARMLESS } from "../support/attack.js";
import { useConsole } from "../support/console.js";
import { workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

const printed = useConsole();

/** So much processor time that memory is what ends them. */
const options = { limits: { memoryMb: 32, cpuMs: 20_000 } };

/** The limit and what issue and documentation grant workerd for itself. */
const MOST_MB = 32 + 64;

describe("a plugin that uses more memory than it may", () => {
  it.each([
    ["objects", "const all = []; for (;;) all.push({ a: [1, 2, 3] })"],
    ["lists", "const all = []; for (;;) all.push(new Array(1000).fill({}))"],
    [
      "numbers",
      "const all = []; for (;;) { const some = []; for (let n = 0; n < 1000; n += 1) some.push(n + 0.5); all.push(some); }",
    ],
    [
      "flat texts",
      `const all = []; for (let n = 0; ; n += 1) all.push(JSON.stringify("x".repeat(100000) + n))`,
    ],
    [
      "texts made of texts",
      `const all = []; for (let n = 0; ; n += 1) { let text = "x" + n; for (let m = 0; m < 1000; m += 1) text += "abcdefghijklmnop" + m; all.push(text); }`,
    ],
    [
      "a text that doubles",
      `let text = "x"; for (;;) { text += text; if (text.charCodeAt(5) === 0) break; }`,
    ],
    ["a map", "const all = new Map(); for (let n = 0; ; n += 1) all.set(n, { n })"],
    ["promises", "const all = []; for (;;) all.push(new Promise(() => {}))"],
    [
      "closures over awaits",
      "const all = []; for (let n = 0; ; n += 1) { all.push(async () => n); if (n % 1000 === 0) await null; }",
    ],
    ["small buffers", "const all = []; for (;;) all.push(new Uint8Array(1000).fill(1))"],
    [
      "responses, which workerd holds outside of V8",
      `const all = []; for (;;) all.push(new Response("x".repeat(100000)))`,
    ],
    [
      "headers",
      `const all = []; for (let n = 0; ; n += 1) { const some = new Headers(); for (let m = 0; m < 100; m += 1) some.set("a" + m, "v".repeat(1000) + n); all.push(some); }`,
    ],
  ])(
    "for %s is told so, by name, limit and operation; only it ends, and it serves again",
    async (_kind, body) => {
      expect(await attack({ body, options })).toEqual({
        told: "Plugin attacker exceeded memory limit of 32MB during route:run",
        ...HARMLESS,
      });
    },
  );

  it.each([
    [
      "Uint8Arrays",
      "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))",
      "Array buffer allocation failed",
    ],
    ["one large buffer", "return new Uint8Array(1 << 30).fill(1).length", "Array buffer allocation failed"],
    [
      "shared buffers",
      "const all = []; for (;;) all.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1))",
      "Array buffer allocation failed",
    ],
    [
      "a buffer that grows",
      "const buffer = new ArrayBuffer(1, { maxByteLength: 1 << 30 }); buffer.resize(1 << 30); new Uint8Array(buffer).fill(1)",
      "ArrayBuffer.prototype.resize: Out of memory",
    ],
    [
      "WebAssembly memory that grows",
      "const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); for (;;) { memory.grow(16); new Uint8Array(memory.buffer).fill(1); }",
      "WebAssembly.Memory.grow(): Unable to grow instance memory",
    ],
    [
      "many WebAssembly memories",
      "const all = []; for (;;) { const memory = new WebAssembly.Memory({ initial: 16 }); new Uint8Array(memory.buffer).fill(1); all.push(memory); }",
      "WebAssembly.Memory(): could not allocate memory",
    ],
    [
      "encoded texts",
      `const all = [], encoder = new TextEncoder(); for (;;) all.push(encoder.encode("x".repeat(1 << 20)))`,
      "Failed to allocate memory for Uint8Array",
    ],
    [
      "Node's buffers",
      `const { Buffer } = await import("node:buffer"); const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))`,
      "Array buffer allocation failed",
    ],
  ])("for %s gets the error where it asked, and goes on, or ends alone", async (_kind, body, message) => {
    const { told, ...rest } = await attack({ body, options, isBrief: true });
    // With nothing left, the next to ask may be V8 or workerd itself, for the error as well: neither takes a refusal.
    expect([
      `Plugin attacker:1.0.0 route run failed: ${message}`,
      "Plugin attacker exceeded memory limit of 32MB during route:run",
    ]).toContain(told);
    expect(rest).toEqual(HARMLESS);
  });

  it("and catches the error, again and again, has the rest of the system's protection", async () => {
    const body = "const all = []; for (;;) try { all.push(new Uint8Array(1 << 16).fill(1)); } catch {}";
    const { told, ...rest } = await attack({ body, options: { limits: { memoryMb: 32, cpuMs: 1000 } } });
    // Whichever limit is met first: its heap fills with the errors while it uses the processor.
    expect(told).toMatch(
      /^Plugin attacker exceeded (memory limit of 32MB|CPU-time limit of 1000ms) during route:run$/,
    );
    expect(rest).toEqual(HARMLESS);
  });

  it("by default, where its processor time ends as well, is told of one of the two", async () => {
    const { told, ...rest } = await attack({
      body: "const all = []; for (;;) all.push({ a: [1, 2, 3] })",
      options: {},
    });
    expect(told).toMatch(
      /^Plugin attacker exceeded (memory limit of 128MB|CPU-time limit of 50ms on average, 500ms at once) during route:run$/,
    );
    expect(rest).toEqual(HARMLESS);
  });

  it("is ended with one line of the reason in the log, not with a page of the allocator's statistics", async () => {
    const body = "const all = []; for (;;) all.push(new Uint8Array(1000).fill(1))";
    await attack({ body, options });
    expect(printed.filter(({ line }) => line.includes("MALLOC"))).toEqual([]);
    expect(
      printed.filter(({ line }) => line.includes("stopped: route:run exceeded its memory limit of 32MB")),
    ).toHaveLength(1);
  });
});

describe("the memory of a process", () => {
  it.each([
    ["objects", "const all = []; for (;;) all.push({ a: [1, 2, 3] })"],
    ["buffers", "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))"],
    ["small buffers", "const all = []; for (;;) all.push(new Uint8Array(1000).fill(1))"],
    [
      "headers",
      `const all = []; for (let n = 0; ; n += 1) { const some = new Headers(); for (let m = 0; m < 100; m += 1) some.set("a" + m, "v".repeat(1000) + n); all.push(some); }`,
    ],
    [
      "buffers, and then the machine code of regular expressions,",
      `const all = []; try { for (;;) all.push(new Uint8Array(1 << 18).fill(1)); } catch {}
       for (let n = 0; ; n += 1) {
         const words = []; for (let m = 0; m < 400; m += 1) words.push("a" + n + "b" + m + "[c-x]{2,5}(?=z)");
         const expression = new RegExp(words.join("|")); all.push(expression);
         for (let k = 0; k < 3; k += 1) expression.exec("a" + n + "b7cccz");
       }`,
    ],
  ])("never exceeds the limit and 64 MB of workerd's own, while %s fill it (Linux)", async (_kind, body) => {
    const plugin = await loadPlugin(makeRunner(options), routeOf(`if (input) { ${body} } return 1`));
    await ask(plugin, false);
    const [pid] = workerdsOf(process.pid);
    let peak = 0;
    const timer = setInterval(() => {
      peak = Math.max(peak, anonymousMb(pid));
    }, 1);
    onTestFinished(() => clearInterval(timer));
    await expect(ask(plugin, true)).rejects.toThrow();
    // Seen at all, and not beyond the bound.
    expect(peak).toBeGreaterThan(20);
    expect(peak).toBeLessThanOrEqual(MOST_MB);
  });

  it("is the plugin's to use up to the limit, whatever kind it is of", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { memoryMb: 64 } }),
      routeOf(
        "const all = []; for (let n = 0; n < 60; n += 1) all.push(new Uint8Array(1 << 20).fill(1)); return all.length",
      ),
    );
    expect(await ask(plugin)).toBe(60);
  });

  it("is given back: a plugin that was refused some may have it when it has let go of the rest", async () => {
    const plugin = await loadPlugin(
      makeRunner(options),
      routeOf(`
        let all = [];
        try { for (;;) all.push(new Uint8Array(1 << 20).fill(1)); } catch {}
        const most = all.length;
        all = undefined;
        return most;`),
    );
    for (let round = 0; round < 5; round += 1) expect(await ask(plugin)).toBeGreaterThan(30);
  });
});

/** Private memory that is not a file's, in MiB; 0 when there is no such process. */
function anonymousMb(pid: number | undefined): number {
  try {
    const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    // One that has ended, and that nobody has reaped yet, has none.
    return Number(kilobytes ?? 0) / 1024;
  } catch {
    return 0;
  }
}
