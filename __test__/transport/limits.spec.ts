/** Limits where nothing but looks enforces them: as on every system but Linux, on ports of 127.0.0.1. */
import { afterEach, describe, expect, it, vi } from "vitest";
import "../support/tcp.js";
import { attack, HARMLESS } from "../support/attack.js";
import { useConsole } from "../support/console.js";
import { isAlive, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

for (const suite of ["breach", "cpu"]) {
  describe(suite, async () => void (await import(`../limits/${suite}.spec.ts`)));
}

const limits = { memoryMb: 32, cpuMs: 20_000 };
const MEMORY = "Plugin attacker exceeded memory limit of 32MB during route:run";

describe("memory, which nothing refuses a plugin", () => {
  it.each([
    ["objects", "const all = []; for (;;) all.push({ a: [1, 2, 3] })"],
    ["buffers", "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))"],
    ["one large buffer", "new Uint8Array(1 << 29).fill(1); for (;;);"],
    [
      "WebAssembly memory",
      "const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); for (;;) { memory.grow(16); new Uint8Array(memory.buffer).fill(1); }",
    ],
  ])("ends it when it is seen to have too much, as %s", async (_kind, body) => {
    expect(await attack({ body, options: { limits }, isBrief: true })).toEqual({
      told: MEMORY,
      ...HARMLESS,
    });
  });

  it("is looked at behind the answer, too", async () => {
    const runner = makeRunner({ limits });
    const body = `
      const all = [];
      (async () => { for (;;) { all.push(new Uint8Array(1 << 20).fill(1)); await new Promise((next) => setTimeout(next, 5)); } })();
      return "answered";`;
    const plugin = await loadPlugin(runner, routeOf(body));
    expect(await ask(plugin)).toBe("answered");
    const stopped = "what a hook or route had left running exceeded its memory limit of 32MB";
    await until(() => printed.some(({ line }) => line.includes(stopped)), "it is ended");
  });

  it("ends a start that takes too much of it", async () => {
    const code = `const all = []; for (let n = 0; n < 400; n += 1) all.push(new Uint8Array(1 << 20).fill(1));
      const end = Date.now() + 4000; while (Date.now() < end); ${routeOf("return all.length")}`;
    vi.stubEnv("EMDASH_SANDBOX_START_TIMEOUT_MS", "25000");
    const plugin = await loadPlugin(makeRunner({ limits }), code);
    await expect(ask(plugin)).rejects.toThrow(
      /it used more than (32 MB of memory|2 s of processor time) at its start/,
    );
  });
});

describe("the processor", () => {
  it("may be used for longer than a start may take, in many calls", async () => {
    const body = `for (const end = Date.now() + 100; Date.now() < end; ); return "done"`;
    const runner = makeRunner({ limits: { cpuMs: 1000 } });
    const plugin = await loadPlugin(runner, routeOf(body));
    for (let call = 0; call < 35; call += 1) expect(await ask(plugin)).toBe("done");
    // All of them in the same process.
    expect(runner.status().plugins).toMatchObject([{ starts: 1, failures: 0 }]);
  });

  it("ends a start that takes too much of it", async () => {
    // A busy machine may give it two seconds of processor time in more than five.
    vi.stubEnv("EMDASH_SANDBOX_START_TIMEOUT_MS", "25000");
    const plugin = await loadPlugin(makeRunner(), "for (;;) {}");
    await expect(ask(plugin)).rejects.toThrow("it used more than 2 s of processor time at its start");
  });

  it("is nobody's while nothing is asked: a plugin that spins then is ended by a look, since no kernel does it", async () => {
    const runner = makeRunner({ limits: { wallTimeMs: 200 } });
    // Small portions, so that its own credit lasts until its wall time is over; then all that it can get.
    const body = `
      const begin = Date.now();
      const spin = () => { const idle = Date.now() - begin < 1000; for (const end = Date.now() + (idle ? 1 : 20); Date.now() < end; ); setTimeout(spin, idle ? 50 : 0); };
      spin();
      return "answered";`;
    const plugin = await loadPlugin(runner, routeOf(body));
    expect(await ask(plugin)).toBe("answered");
    const [pid = 0] = workerdsOf(process.pid);
    await until(() => !isAlive(pid), "it is ended", 20_000);
    await until(
      () =>
        printed.some(({ line }) => /used the processor while nothing was asked|CPU-time limit/.test(line)),
      "the reason is told",
    );
  });
});
