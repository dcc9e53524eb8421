/** What holds on Windows by Windows's own means: `node scripts/windows.mjs` runs it under Wine, and elsewhere it is left out. */
import { afterEach, describe, expect, it, vi } from "vitest";
import "../support/tcp.js";
import { attack, HARMLESS } from "../support/attack.js";
import { Host } from "../support/host.js";
import { childrenOf, isAlive, workerdsOf } from "../support/processes.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");

describe.runIf(process.platform === "win32")("on Windows", () => {
  it("a plugin is called, and keeps what it writes in the site's database", async () => {
    const runner = makeRunner({ db: site.db });
    const body = `await ctx.kv.set("key", { of: input }); return ctx.kv.get("key");`;
    expect(await inPlugin(body, { runner, input: 42 })).toEqual({ of: 42 });
    expect(runner.status().transport?.name).toBe("tcp");
  });

  it("a process that is ended from outside fails its calls with the code that Windows has for that, and is replaced", async () => {
    const code = `export default { routes: { run: () => "pong", wait: () => new Promise(() => {}) } }`;
    const plugin = await loadPlugin(makeRunner(), code);
    expect(await ask(plugin)).toBe("pong");
    const waiting = ask(plugin, undefined, "wait");
    for (const pid of workerdsOf(process.pid)) process.kill(pid, "SIGKILL");
    await expect(waiting).rejects.toThrow("its process ended with exit code 1");
    expect(await ask(plugin)).toBe("pong");
  });

  it("a plugin's process has no process beside it, and goes with its plugin", async () => {
    const plugin = await loadPlugin(makeRunner(), PING);
    await ask(plugin);
    expect(childrenOf(process.pid)).toEqual(workerdsOf(process.pid));
    expect(workerdsOf(process.pid)).toHaveLength(1);
    await plugin.terminate();
    expect(workerdsOf(process.pid)).toEqual([]);
  });

  it.each([
    ["buffers", "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))"],
    ["objects", "const all = []; for (;;) all.push({ a: [1, 2, 3] })"],
  ])("a plugin that fills memory with %s ends, and no other", async (_kind, body) => {
    const options = { limits: { memoryMb: 128, cpuMs: 20_000 } };
    const told = "Plugin attacker exceeded memory limit of 128MB during route:run";
    expect(await attack({ body, options, isBrief: true })).toEqual({ told, ...HARMLESS });
  });

  it("a plugin that spins ends, and no other", async () => {
    const options = { limits: { cpuMs: 300 } };
    const told = "Plugin attacker exceeded CPU-time limit of 300ms during route:run";
    expect(await attack({ body: "for (;;) {}", options })).toEqual({ told, ...HARMLESS });
  });

  it.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
    "a host that is ended by %s leaves no process, because they are in a job of its own",
    async (signal) => {
      const host = new Host("serving.mjs");
      await host.said("ready");
      const pids = childrenOf(host.pid);
      expect(workerdsOf(host.pid)).toHaveLength(2);
      expect(pids).toHaveLength(2);
      host.kill(signal);
      await host.ended;
      await until(() => !pids.some(isAlive), "they are gone");
    },
  );
});
