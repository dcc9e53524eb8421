/** Processes that nobody needs. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkerdSandboxRunner } from "../../host/runner.js";
import { useConsole } from "../support/console.js";
import { GATED, Gate, MAY_MAIL } from "../support/gate.js";
import { onLinux, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());
beforeEach(() => vi.stubEnv("EMDASH_SANDBOX_IDLE_MS", "100"));

const PING = routeOf("return 'pong'");
/** Long enough for a call on a busy machine; the idle time is never shorter. */
const limits = { wallTimeMs: 1000 };

function idle(runner: WorkerdSandboxRunner): Promise<void> {
  return until(() => runner.status().plugins[0]?.state === "idle", "its process has been stopped");
}

it("a plugin that nobody asks has no process after a while, and the next call is served all the same", async () => {
  const runner = makeRunner({ limits });
  const plugin = await loadPlugin(runner, PING);
  for (let round = 1; round <= 3; round += 1) {
    expect(await ask(plugin)).toBe("pong");
    expect(runner.status().plugins[0]).toMatchObject({ starts: round, failures: 0 });
    await idle(runner);
    expect(runner.status().plugins[0]).toMatchObject({ processId: null, nextStart: null, inFlight: 0 });
    if (onLinux) expect(workerdsOf(process.pid)).toEqual([]);
  }
  expect(runner.isHealthy()).toBe(true);
  expect(printed.map(({ line }) => line)).toEqual(
    Array(3).fill("[emdash:workerd] [plugin:test] stopped: nobody needed it; the next call starts it"),
  );
});

it("a hook that an idle plugin does not have wakes nobody", async () => {
  const runner = makeRunner({ limits });
  const plugin = await loadPlugin(runner, PING);
  await ask(plugin);
  await idle(runner);
  for (let call = 0; call < 100; call += 1)
    expect(await plugin.invokeHook("page:metadata", {})).toBeUndefined();
  expect(runner.status().plugins[0]).toMatchObject({ state: "idle", starts: 1 });
});

describe("is not stopped", () => {
  /** Another plugin has been idle this often: ample time for what must not happen. */
  async function meanwhile(times = 2): Promise<void> {
    const runner = makeRunner({ limits });
    const plugin = await loadPlugin(runner, PING, { id: "meanwhile" });
    for (let time = 0; time < times; time += 1) {
      await ask(plugin);
      await idle(runner);
    }
  }

  it("a process of a site that has turned it off", async () => {
    vi.stubEnv("EMDASH_SANDBOX_IDLE_MS", "0");
    const runner = makeRunner({ limits });
    await ask(await loadPlugin(runner, PING));
    vi.stubEnv("EMDASH_SANDBOX_IDLE_MS", "100");
    await meanwhile();
    expect(runner.status().plugins).toMatchObject([{ state: "serving", starts: 1 }]);
  });

  it("a process in which a call still runs", async () => {
    const gate = new Gate();
    const runner = makeRunner({ emailSend: gate.emailSend });
    const plugin = await loadPlugin(runner, GATED, MAY_MAIL);
    const call = ask(plugin);
    await gate.entered();
    await meanwhile();
    gate.open();
    expect(await call).toBe("done");
    expect(runner.currentEpoch).toBe(1);
  });

  it("a process whose handler has left work behind, until that work's deadline", async () => {
    const runner = makeRunner({ db: site.db, limits: { wallTimeMs: 10_000 } });
    const code = `let done; export default { routes: {
      run(_, ctx) { done = new Promise((resolve) => setTimeout(resolve, 2500)).then(() => ctx.kv.set("late", 1)); return "first"; },
    } };`;
    const plugin = await loadPlugin(runner, code, { id: "late" });
    expect(await ask(plugin)).toBe("first");
    await meanwhile();
    const late = () =>
      site.db.selectFrom("_plugin_storage").where("plugin_id", "=", "late").select("id").execute();
    await until(async () => (await late()).length === 1, "what it left behind is done");
    expect(runner.status().plugins[0]).toMatchObject({ state: "serving", starts: 1, failures: 0 });
  });
});
