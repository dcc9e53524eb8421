/** A plugin's process that ends by itself or by somebody's hand: who is told, and who is not hurt. */
import { randomInt } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isDocumented } from "../../bench/documented-errors.mjs";
import { seeded } from "../../bench/seeded.mjs";
import type { SandboxedPlugin } from "../../host/plugin.js";
import { useConsole } from "../support/console.js";
import { fakeRunner } from "../support/fake.js";
import { GATED, Gate, MAY_MAIL } from "../support/gate.js";
import { workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");

function unavailable(reason: string) {
  return { name: "SandboxUnavailableError", message: `Plugin sandbox unavailable for ${reason}` };
}

describe("a process that ends in a call", () => {
  it("killed from outside fails every call in flight at once with the reason; the next is served (Linux)", async () => {
    const gate = new Gate();
    const runner = makeRunner({ emailSend: gate.emailSend });
    const plugin = await loadPlugin(runner, GATED, { ...MAY_MAIL, id: "killed" });
    const neighbour = await loadPlugin(runner, PING, { id: "neighbour" });
    const calls = [ask(plugin), ask(plugin), ask(plugin)];
    await gate.entered(3);
    const [pid] = workerdsOf(process.pid);
    await ask(neighbour);
    if (pid === undefined) throw new Error("there is a process");
    process.kill(pid, "SIGKILL");
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: unavailable("killed:1.0.0: its process ended with signal 9"),
      });
    }
    gate.open();
    expect(await ask(plugin)).toBe("done");
    expect(await ask(neighbour)).toBe("pong");
    expect(runner.currentEpoch).toBe(3);
  });

  it("killed while idle costs the next call nothing but a start (Linux)", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, PING);
    await ask(plugin);
    for (const pid of workerdsOf(process.pid)) process.kill(pid, "SIGKILL");
    await until(() => printed.some(({ line }) => line.includes("stopped:")), "its end is seen");
    expect(await ask(plugin)).toBe("pong");
  });

  it.each([0, 1, 3, 134, 255])(
    "with exit code %d is a crash, and the reason says which code",
    async (exit) => {
      const plugin = await loadPlugin(fakeRunner("as-told.mjs"), "");
      const calls = [ask(plugin, { exit }), ask(plugin)];
      const [first, second] = await Promise.allSettled(calls);
      const reason = unavailable(`test:1.0.0: its process ended with exit code ${exit}`);
      expect(first).toMatchObject({ status: "rejected", reason });
      // The other may have been answered, or waited for the next process, but is told no other reason.
      if (second?.status === "rejected") expect(second.reason).toMatchObject(reason);
      expect(await ask(plugin, "again")).toBe("again");
      expect(printed.map(({ line }) => line)).toContain(
        `[emdash:workerd] [plugin:test] stopped: its process ended with exit code ${exit}; it starts again`,
      );
    },
  );

  it.each([
    ["SIGTERM", 15],
    ["SIGKILL", 9],
    ["SIGSEGV", 11],
    ["SIGABRT", 6],
    ["SIGBUS", 7],
    ["SIGILL", 4],
  ])("by %s is a crash, and the reason says which signal", async (signal, number) => {
    const plugin = await loadPlugin(fakeRunner("as-told.mjs"), "");
    await expect(ask(plugin, { signal })).rejects.toMatchObject(
      unavailable(`test:1.0.0: its process ended with signal ${number}`),
    );
    expect(await ask(plugin, "again")).toBe("again");
  });

  it("by process.exit of its own fails the call with the reason, and the next is served", async () => {
    const plugin = await loadPlugin(makeRunner(), routeOf("if (input) process.exit(3); return 'pong'"));
    await expect(ask(plugin, true)).rejects.toMatchObject({ name: "SandboxUnavailableError" });
    expect(await ask(plugin, false)).toBe("pong");
  });

  it("by filling its heap is that plugin's end alone, and the reason says so", async () => {
    const runner = makeRunner({ limits: { memoryMb: 32 } });
    const greedy = await loadPlugin(
      runner,
      routeOf("const all = []; for (;;) all.push(new Array(1000).fill({}))"),
    );
    const neighbour = await loadPlugin(runner, PING, { id: "neighbour" });
    await expect(ask(greedy)).rejects.toThrow(
      new Error("Plugin test exceeded memory limit of 32MB during route:run"),
    );
    expect(await ask(neighbour)).toBe("pong");
  });
});

it("50 kills at random under load: no call hangs, every error is documented, and all serve again (Linux)", async () => {
  const seed = Number(process.env.EMDASH_TEST_SEED || randomInt(2 ** 31));
  const random = seeded(seed);
  const runner = makeRunner();
  const load = (_: unknown, at: number) => loadPlugin(runner, PING, { id: `p${at}` });
  const plugins = await Promise.all(Array.from({ length: 10 }, load));
  await runner.ensureRunning();

  let isDone = false;
  const served = plugins.map(() => 0);
  const undocumented: unknown[] = [];
  const caller = async (plugin: SandboxedPlugin, at: number) => {
    while (!isDone) {
      try {
        expect(await ask(plugin)).toBe("pong");
        served[at] = (served[at] ?? 0) + 1;
      } catch (error) {
        if (!isDocumented(error)) undocumented.push(error);
        // A breaker that is open refuses at once; the others want their turn.
        await new Promise(setImmediate);
      }
    }
  };
  const callers = [...plugins, ...plugins, ...plugins].map((plugin, at) =>
    caller(plugin, at % plugins.length),
  );

  const killed = new Set<number>();
  while (killed.size < 50) {
    const pids = workerdsOf(process.pid).filter((pid) => !killed.has(pid));
    const pid = pids[Math.floor(random() * pids.length)];
    if (pid !== undefined) {
      process.kill(pid, "SIGKILL");
      killed.add(pid);
    }
    for (let turns = random() * 20; turns > 0; turns -= 1) await new Promise(setImmediate);
  }
  const after = [...served];
  // A breaker may be open, for 10 s when it is for the second time.
  await until(
    () => served.every((calls, at) => calls > (after[at] ?? 0)),
    `all serve again, seed ${seed}`,
    60_000,
  );
  isDone = true;
  await Promise.all(callers);
  expect(undocumented, `seed ${seed}`).toEqual([]);
  const failures = runner.status().plugins.map((plugin) => plugin.failures);
  expect(
    failures.reduce((sum, count) => sum + count),
    `seed ${seed}`,
  ).toBe(50);
}, 120_000);
