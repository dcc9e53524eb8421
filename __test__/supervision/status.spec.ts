/** `status()`: what the runner and each of its plugins are doing, seen for real. `breaker.spec.ts` and `idle.spec.ts` see the rest. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { WorkerdSandboxRunner } from "../../host/runner.js";
import type { PluginStatus } from "../../host/status.js";
import { useConsole } from "../support/console.js";
import { fakeRunner } from "../support/fake.js";
import { GATED, Gate, MAY_MAIL } from "../support/gate.js";
import { onLinux, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, manifestOf, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

useConsole();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");

function only(runner: WorkerdSandboxRunner): PluginStatus {
  const [plugin, ...others] = runner.status().plugins;
  expect(others).toEqual([]);
  if (plugin === undefined) throw new Error("there is a plugin");
  return plugin;
}

describe("of a runner", () => {
  it("says which workerd it runs and what plugins are held to", () => {
    expect(makeRunner().status()).toEqual({
      available: true,
      unavailableReason: null,
      workerd: { path: expect.stringMatching(/workerd$/), version: expect.stringMatching(/^1\.\d{8}\.\d+$/) },
      jail: expect.objectContaining({ mode: "auto", layers: expect.arrayContaining([expect.anything()]) }),
      transport: { name: "unix", gaps: [] },
      limits: expect.objectContaining({ wallTimeMs: 30_000, memoryMb: 128 }),
      plugins: [],
    });
  });

  it.each([
    [
      "does not exist",
      () => "/gone/workerd",
      "EMDASH_WORKERD_BIN: /gone/workerd does not exist. Let it name a workerd binary, or unset it to use the installed package.",
    ],
    [
      "may not be executed",
      notExecutable,
      /^EMDASH_WORKERD_BIN: .* may not be executed\. Allow it: chmod \+x /,
    ],
  ])("that has none, because it %s, says so everywhere", async (_why, path, reason) => {
    vi.stubEnv("EMDASH_WORKERD_BIN", path());
    const runner = makeRunner();
    const said = runner.unavailableReason() ?? "";
    if (typeof reason === "string") expect(said).toBe(reason);
    else expect(said).toMatch(reason);
    expect([runner.isAvailable(), runner.isHealthy()]).toEqual([false, false]);
    expect(runner.status()).toEqual({
      available: false,
      unavailableReason: said,
      workerd: null,
      jail: null,
      transport: null,
      limits: null,
      plugins: [],
    });
    await expect(runner.load(manifestOf(), PING)).rejects.toThrow(said);
  });

  it("is data: it can be written as JSON", async () => {
    const runner = makeRunner();
    await ask(await loadPlugin(runner, PING));
    const status = runner.status();
    const { since, ...plugin } = only(runner);
    expect(JSON.parse(JSON.stringify(status)).plugins).toEqual([{ ...plugin, since: since.toISOString() }]);
  });
});

describe("of a plugin", () => {
  it("starting, serving, draining: its process, its calls, and since when", async () => {
    const gate = new Gate();
    const runner = makeRunner({ emailSend: gate.emailSend });
    const before = Date.now();
    const plugin = await loadPlugin(runner, GATED, { ...MAY_MAIL, id: "p", version: "1.2.3" });
    const calls = [ask(plugin), ask(plugin)];
    await until(() => only(runner).inFlight === 2, "both are counted");
    await gate.entered(2);
    const serving = only(runner);
    expect(serving).toEqual({
      id: "p",
      version: "1.2.3",
      state: "serving",
      since: expect.any(Date),
      nextStart: null,
      processId: expect.any(Number),
      starts: 1,
      failures: 0,
      lastFailures: [],
      inFlight: 2,
      used: { cpuMs: expect.any(Number), memoryMb: expect.any(Number), subrequests: 2 },
    });
    expect(serving.since.getTime()).toBeGreaterThanOrEqual(before - 1);
    expect(serving.since.getTime()).toBeLessThanOrEqual(Date.now() + 1);
    if (onLinux) expect(workerdsOf(process.pid)).toEqual([serving.processId]);

    const end = plugin.terminate();
    await until(() => only(runner).state === "draining", "it is draining");
    expect(only(runner)).toMatchObject({ inFlight: 2, processId: serving.processId, failures: 0 });
    gate.open();
    expect(await Promise.all(calls)).toEqual(["done", "done"]);
    await end;
    expect(runner.status().plugins).toEqual([]);
  });

  it("starting: no process to name yet, and those who wait are counted", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, "for (;;) {}");
    const waiting = [1, 2, 3].map(() => ask(plugin).catch((error: Error) => error.message));
    await until(() => only(runner).inFlight === 3, "they are counted");
    expect(only(runner)).toMatchObject({ state: "starting", processId: null, starts: 0, nextStart: null });
    await plugin.terminate();
    expect(await Promise.all(waiting)).toEqual(
      Array(3).fill("Plugin sandbox unavailable for test:1.0.0: it was unloaded"),
    );
  });

  it("failed: why, and when the next call may try", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, `throw new Error("boom")`);
    await expect(ask(plugin)).rejects.toThrow("boom");
    await until(() => only(runner).state === "failed", "it has failed");
    const { since, nextStart, ...status } = only(runner);
    expect(status).toMatchObject({ starts: 0, failures: 1, processId: null, inFlight: 0 });
    expect(status.lastFailures).toEqual([
      { at: expect.any(Date), reason: "it threw at its start: Error: boom at plugin.js:1:7" },
    ]);
    expect(nextStart?.getTime()).toBeGreaterThan(since.getTime());
  });

  it("resting: after a crash that was not the first, with the time of the next start; calls wait it out", async () => {
    const runner = fakeRunner("as-told.mjs");
    const plugin = await loadPlugin(runner, "");
    const rests: PluginStatus[] = [];
    for (let crash = 1; crash <= 4; crash += 1) {
      await expect(ask(plugin, { exit: 1 })).rejects.toThrow("exit code 1");
      let answered: unknown;
      void ask(plugin, crash).then((answer) => {
        answered = answer;
      });
      while (answered === undefined) {
        if (only(runner).state === "resting") rests.push(only(runner));
        await new Promise(setImmediate);
      }
      expect(answered).toBe(crash);
    }
    // One of the three rests, of 50 to 400 ms, is seen on the busiest of machines.
    const [rest] = rests.filter(({ inFlight }) => inFlight === 1);
    expect(rest).toMatchObject({ processId: null, inFlight: 1 });
    expect(rest?.nextStart?.getTime()).toBeGreaterThanOrEqual(rest?.since.getTime() ?? 0);
    expect(only(runner)).toMatchObject({ state: "serving", starts: 5, failures: 4 });
  });

  it("what it has used is there when its answer is, and grows; a process that was killed counts, too", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(
      runner,
      `export default { routes: {
        work: async (_, ctx) => { ctx.log.info("free"); for (let at = 0; at < 3; at += 1) await ctx.url("/"); await ctx.kv.list().catch(() => 0); },
        compute: ({ input }) => { for (let left = input; left > 0; left -= 1) Math.sqrt(left); },
        hold: () => { globalThis.held = new Uint8Array(20 * 2 ** 20).fill(1); },
        spin: () => { for (;;) {} },
      } };`,
    );
    const used = () => {
      const { used } = only(runner);
      if (used === null) throw new Error("it is measured");
      return used;
    };
    await plugin.ensureRunning();
    expect(used()).toEqual({ cpuMs: 0, memoryMb: 0, subrequests: 0 });
    await ask(plugin, undefined, "work");
    expect(used().subrequests).toBe(1);
    const before = used().cpuMs;
    await ask(plugin, 20_000_000, "compute");
    expect(used().cpuMs).toBeGreaterThan(before + 5);
    await expect(ask(plugin, undefined, "spin")).rejects.toThrow("CPU-time");
    expect(used().cpuMs).toBeGreaterThan(before + 300);
    await ask(plugin, undefined, "hold");
    expect(used().memoryMb).toBeGreaterThan(20);
    expect(used().memoryMb).toBeLessThan(128);
  });

  it("in the order in which they were loaded", async () => {
    const runner = makeRunner();
    await Promise.all(["c", "a", "b"].map((id) => loadPlugin(runner, PING, { id })));
    expect(runner.status().plugins.map(({ id }) => id)).toEqual(["c", "a", "b"]);
  });
});

function notExecutable(): string {
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "workerd");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  return path;
}
