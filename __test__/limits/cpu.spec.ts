/** Processor time: every way to use too much of it ends the plugin's process, and nothing else. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { attack, HARMLESS } from "../support/attack.js";
import { useConsole } from "../support/console.js";
import { Gate, MAY_MAIL } from "../support/gate.js";
import { workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();

function hasPrinted(words: string): boolean {
  return printed.some(({ line }) => line.includes(words));
}

const LIMITS = { cpuMs: 100 };

describe("a plugin that uses more processor time than it may", () => {
  it.each([
    ["an endless loop", "for (;;);"],
    ["a regular expression that backtracks for ever", `return /^(a+)+$/.test("a".repeat(40) + "b")`],
    [
      "JSON.parse of megabytes, again and again",
      `const text = "[" + "[1,2,3],".repeat(200000) + "0]"; for (;;) JSON.parse(text)`,
    ],
    ["a loop of promises, which never lets a timer run", "for (;;) await null"],
    [
      "a loop of microtasks that nobody awaits",
      "const again = () => queueMicrotask(again); again(); await new Promise(() => {})",
    ],
    ["a loop in a timer", "setTimeout(() => { for (;;); }, 1); await new Promise(() => {})"],
    [
      "a little in each of many timers",
      `setInterval(() => { for (const end = Date.now() + 5; Date.now() < end; ); }, 1); await new Promise(() => {})`,
    ],
    ["a getter of its answer", "return { get a() { for (;;); } }"],
    ["a sort that compares for ever", "Array(1000).fill(0).sort(() => { for (;;); })"],
    ["errors that it catches", "for (;;) try { null.x } catch {}"],
    ["a generator that never ends", "for (const _ of (function* () { for (;;) yield 1; })());"],
  ])(
    "by %s is told so, by name, limit and operation; only it ends, and it serves again",
    async (_way, body) => {
      expect(await attack({ body, options: { limits: LIMITS } })).toEqual({
        told: "Plugin attacker exceeded CPU-time limit of 100ms during route:run",
        ...HARMLESS,
      });
    },
  );

  it.each([
    ["a loop in a timer", "setTimeout(() => { for (;;); }, 20)"],
    [
      "a loop behind an await",
      "(async () => { await null; await new Promise((r) => setTimeout(r, 5)); for (;;); })()",
    ],
    [
      "short pieces of work without an end",
      `const work = () => { for (const end = Date.now() + 10; Date.now() < end; ); setTimeout(work, 1); }; work()`,
    ],
    [
      "a loop of promises",
      "(async () => { await new Promise((r) => setTimeout(r, 5)); for (;;) await null; })()",
    ],
  ])("by %s after the answer keeps the answer and loses the process", async (_way, body) => {
    const isOver = () =>
      hasPrinted("what a hook or route had left running exceeded its CPU-time limit of 100ms");
    expect(await attack({ body: `${body}; return "answered"`, options: { limits: LIMITS }, isOver })).toEqual(
      {
        told: "answered",
        ...HARMLESS,
      },
    );
  });

  it("is not told of memory where it may have little of that, because workerd's own is not the plugin's", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { ...LIMITS, memoryMb: 16 } }),
      routeOf("if (input) for (;;); return 'fine'"),
    );
    expect(await ask(plugin)).toBe("fine");
    await expect(ask(plugin, true)).rejects.toThrow("exceeded CPU-time limit of 100ms");
  });

  it("in a hook is told of the hook", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: LIMITS }),
      `export default { hooks: { "content:beforeSave": () => { for (;;); } } };`,
    );
    await expect(plugin.invokeHook("content:beforeSave", {})).rejects.toThrow(
      new Error("Plugin test exceeded CPU-time limit of 100ms during hook:content:beforeSave"),
    );
  });
});

describe("processor time", () => {
  it("is not what a call spends waiting, because a database's slowness is not the plugin's", async () => {
    const body = `await new Promise((resolve) => setTimeout(resolve, 1500)); return "waited"`;
    const plugin = await loadPlugin(makeRunner({ limits: { cpuMs: 100 } }), routeOf(body));
    expect(await ask(plugin)).toBe("waited");
  });

  it("is not charged to a call that waits for the host, because others use it meanwhile", async () => {
    const gate = new Gate();
    const code = `export default {
      hooks: { h: () => { for (const end = Date.now() + 8; Date.now() < end; ); } },
      routes: { run: async (_, ctx) => { await ctx.email.send({ to: "a@b.example", subject: "s", text: "t" }); return "done"; } },
    };`;
    const runner = makeRunner({ limits: { cpuMs: 200 }, emailSend: gate.emailSend });
    const plugin = await loadPlugin(runner, code, MAY_MAIL);
    const waits = ask(plugin);
    await gate.entered();
    // Its half of them would be 240 ms. What workerd itself uses in between is shared by all, and so is its own.
    for (let call = 0; call < 60; call += 1) await plugin.invokeHook("h", {});
    gate.open();
    expect([await waits, runner.currentEpoch]).toEqual(["done", 1]);
  });

  it("ends a plugin that spins even where a call's time ends before its processor time, because no call would ever be served again", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { cpuMs: 2000, wallTimeMs: 700 } }),
      routeOf("if (input) for (;;); return 'fine'"),
    );
    await expect(ask(plugin, true)).rejects.toThrow("exceeded wall-time limit of 700ms");
    // Somebody always asks.
    let told: unknown;
    await until(async () => {
      told = await ask(plugin, false).catch(({ message }: Error) => message);
      return !String(told).includes("wall-time limit");
    }, "it is served or ended");
    expect([
      "fine",
      "Plugin sandbox unavailable for test:1.0.0: what a hook or route had left running exceeded its CPU-time limit of 2000ms",
    ]).toContain(told);
    expect(await ask(plugin, false)).toBe("fine");
  });

  it("that was used before does not count against the next call, where the operator has set a limit", async () => {
    const body = `for (const end = Date.now() + 60; Date.now() < end; ); return "done"`;
    const plugin = await loadPlugin(makeRunner({ limits: { cpuMs: 1000 } }), routeOf(body));
    // Two seconds in all: twice the limit.
    for (let call = 0; call < 33; call += 1) expect(await ask(plugin)).toBe("done");
  });

  it("is by default a credit: half a second at once passes as it did before the switch, a loop ends", async () => {
    // 300 ms by the clock are at most as many of the processor.
    const body = `if (input === "loop") for (;;); for (const end = Date.now() + 300; Date.now() < end; ); return "done"`;
    const plugin = await loadPlugin(makeRunner(), routeOf(body));
    expect(await ask(plugin)).toBe("done");
    await expect(ask(plugin, "loop")).rejects.toThrow(
      new Error("Plugin test exceeded CPU-time limit of 50ms on average, 500ms at once during route:run"),
    );
  });

  it("of a plugin that spins while nothing was asked of it is the kernel's to end, or a look's where no kernel does", async () => {
    // Nobody looks at it any more when the loop begins: its call's time has been over for long.
    const body = `setTimeout(() => { for (;;); }, 3000); return "answered"`;
    const plugin = await loadPlugin(makeRunner({ limits: { wallTimeMs: 1000 } }), routeOf(body));
    expect(await ask(plugin)).toBe("answered");
    const isEnded = () => hasPrinted("stopped: it used the processor while nothing was asked of it");
    await until(isEnded, "the kernel ends it", 25_000);
    expect(await ask(plugin)).toBe("answered");
  });

  it.each([
    ["an endless loop", "for (;;);"],
    ["a regular expression", `/^(a+)+$/.test("a".repeat(40) + "b");`],
    ["a loop of promises", "for (;;) await null;"],
    ["microtasks that nobody awaits", "const again = () => queueMicrotask(again); again();"],
    [
      "a getter of its default export",
      "export { trap as default }; const trap = { get hooks() { for (;;); } };",
    ],
  ])("of a start is 2 s, and the reason says so: %s", async (_way, code) => {
    // On a busy machine two seconds of it may take ten.
    vi.stubEnv("EMDASH_SANDBOX_START_TIMEOUT_MS", "25000");
    onTestFinished(() => void vi.unstubAllEnvs());
    const runner = makeRunner();
    const neighbour = await loadPlugin(runner, routeOf("return 'fine'"), { id: "neighbour" });
    const rest = code.includes("as default") ? "" : routeOf("return 1");
    const asked = ask(await loadPlugin(runner, `${code} ${rest}`));
    asked.catch(() => undefined);
    for (let call = 0; call < 20; call += 1) expect(await ask(neighbour)).toBe("fine");
    await expect(asked).rejects.toMatchObject({
      name: "SandboxUnavailableError",
      message: expect.stringContaining("it used more than 2 s of processor time at its start"),
    });
    expect(workerdsOf(process.pid)).toHaveLength(1);
  });
});
