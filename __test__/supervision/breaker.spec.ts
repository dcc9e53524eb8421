/** A plugin that fails again and again: the circuit breaker, at its real pace. What it decides when is `restart.rs`'s test. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { isDocumented } from "../../bench/documented-errors.mjs";
import type { PluginState, PluginStatus } from "../../host/status.js";
import { useConsole } from "../support/console.js";
import { fakeRunner } from "../support/fake.js";
import { workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

function notices(): string[] {
  const prefix = "[emdash:workerd] [plugin:test] ";
  return printed.filter(({ line }) => line.startsWith(prefix)).map(({ line }) => line.slice(prefix.length));
}

it("five crashes open it, one call tries while the others wait, and its answer closes it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const gate = join(folder, "gate");
  const runner = fakeRunner("as-told.mjs", { FAKE_GATE: gate });
  const plugin = await loadPlugin(runner, "");
  const status = () => runner.status().plugins[0] as PluginStatus;
  const entered = (state: PluginState) =>
    until(() => status().state === state, `it is ${state}`, 20_000).then(status);

  for (let crash = 1; crash <= 5; crash += 1) {
    // It waits for the restart: soon enough, however often it has crashed.
    expect(await ask(plugin, crash)).toBe(crash);
    await expect(ask(plugin, { exit: 3 })).rejects.toThrow(/its process ended with exit code 3$/);
  }

  const open = await entered("open");
  expect(open).toMatchObject({ processId: null, starts: 5, failures: 5, inFlight: 0 });
  expect(open.nextStart?.getTime()).toBeGreaterThan(open.since.getTime());
  expect(open.lastFailures.map(({ reason }) => reason)).toEqual(
    Array(5).fill("its process ended with exit code 3"),
  );
  const refused = /its process ended with exit code 3; it failed too often, so the next try is in \d+ s$/;
  for (let call = 0; call < 50; call += 1) await expect(ask(plugin, "refused")).rejects.toThrow(refused);
  expect(runner.currentEpoch, "no process is spent on them").toBe(5);
  expect([runner.isAvailable(), runner.isHealthy()], "the runner can serve others").toEqual([true, true]);

  writeFileSync(gate, "");
  // Refused as long as it is open; then it waits for the process that waits for the gate.
  const tried = until(
    async () => (await ask(plugin, "trial").catch(() => undefined)) === "trial",
    "the breaker lets one call try",
    20_000,
  );
  expect(await entered("probing")).toMatchObject({ inFlight: 1, processId: null, nextStart: null });
  const others = ["a", "b", "c"].map((name) => ask(plugin, name));
  await until(() => status().inFlight === 4, "they wait");
  rmSync(gate);
  await tried;
  expect(await Promise.all(others)).toEqual(["a", "b", "c"]);
  expect(status()).toMatchObject({ state: "serving", starts: 6, failures: 5, inFlight: 0 });
  // And one crash after that is one crash.
  await expect(ask(plugin, { exit: 3 })).rejects.toThrow(/exit code 3$/);
  expect(await ask(plugin, "again")).toBe("again");

  expect(notices()).toEqual([
    "stopped: its process ended with exit code 3; it starts again",
    expect.stringMatching(/^stopped: its process ended with exit code 3; it starts again in 0\.1 s$/),
    expect.stringMatching(/^stopped: its process ended with exit code 3; it starts again in 0\.[12] s$/),
    expect.stringMatching(/^stopped: its process ended with exit code 3; it starts again in 0\.[234] s$/),
    expect.stringMatching(
      /^stopped: its process ended with exit code 3; it failed too often: calls fail for \d\.\d s, then one may try$/,
    ),
    "serves again",
    "stopped: its process ended with exit code 3; it starts again",
  ]);
}, 60_000);

it("ten kills in a row are ten documented errors, and it serves again: it never gives up (Linux)", async () => {
  const runner = makeRunner();
  const plugin = await loadPlugin(runner, routeOf("return 'pong'"));
  const errors: unknown[] = [];
  const killed = new Set<number>();
  const served = () =>
    until(
      async () =>
        (await ask(plugin).catch((error) => {
          errors.push(error);
        })) === "pong",
      "it is served",
      30_000,
    );
  for (let kill = 0; kill < 10; kill += 1) {
    await served();
    for (const pid of workerdsOf(process.pid).filter((pid) => !killed.has(pid))) {
      process.kill(pid, "SIGKILL");
      killed.add(pid);
    }
  }
  await served();
  expect(killed.size).toBe(10);
  expect(runner.status().plugins[0]).toMatchObject({ starts: 11, failures: 10 });
  await until(() => runner.status().plugins[0]?.state === "serving", "the breaker is closed");
  expect(errors.filter((error) => !isDocumented(error))).toEqual([]);
}, 90_000);
