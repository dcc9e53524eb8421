/** A plugin's process that ends by itself or by somebody's hand: who is told, and who is not hurt. */
import { describe, expect, it } from "vitest";
import { insertRow } from "./support/bridge.js";
import { useConsole } from "./support/console.js";
import { workerdsOf } from "./support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "./support/runner.js";
import { until } from "./support/until.js";

const site = useDatabase();
const printed = useConsole();

const PING = routeOf("return 'pong'");

/** Logs that it is there, and answers when the database has the key `gate`. */
const GATED = routeOf(
  `ctx.log.info("entered"); while (!(await ctx.kv.get("gate"))) await ctx.kv.get("x"); return "done"`,
);

function entered(times = 1): Promise<void> {
  return until(
    () => printed.filter(({ line }) => line.endsWith("entered")).length >= times,
    "the call is in the plugin",
  );
}

describe("a process that ends in a call", () => {
  it("killed from outside fails every call in flight at once with the reason; the next is served (Linux)", async () => {
    const runner = makeRunner({ db: site.db });
    const plugin = await loadPlugin(runner, GATED, { id: "killed" });
    const neighbour = await loadPlugin(runner, PING, { id: "neighbour" });
    const calls = [ask(plugin), ask(plugin), ask(plugin)];
    await entered(3);
    const [pid] = workerdsOf(process.pid);
    await ask(neighbour);
    if (pid === undefined) throw new Error("there is a process");
    process.kill(pid, "SIGKILL");
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: {
          name: "SandboxUnavailableError",
          message: "Plugin sandbox unavailable for killed:1.0.0: its process ended with signal 9",
        },
      });
    }
    await insertRow(site.db, { plugin: "killed", collection: "__kv", id: "gate", data: "true" });
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
    await expect(ask(greedy)).rejects.toMatchObject({
      name: "SandboxUnavailableError",
      message: expect.stringMatching(/heap|memory/i),
    });
    expect(await ask(neighbour)).toBe("pong");
  });
});
