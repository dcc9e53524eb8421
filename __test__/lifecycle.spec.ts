/** Loading, replacing and unloading. */
import { describe, expect, it } from "vitest";
import { insertRow } from "./support/bridge.js";
import { useConsole } from "./support/console.js";
import { onLinux, workerdsOf } from "./support/processes.js";
import { ask, loadPlugin, makeRunner, manifestOf, routeOf, useDatabase } from "./support/runner.js";
import { until } from "./support/until.js";

const site = useDatabase();
const printed = useConsole();

const PING = routeOf("return 'pong'");

/** Logs that it is there, and answers when the database has the key `gate`. */
const GATED = routeOf(
  `ctx.log.info("entered"); while (!(await ctx.kv.get("gate"))) await ctx.kv.get("x"); return "done"`,
);

const SPINNING = `export default { routes: {
  run(_, ctx) { ctx.log.info("entered"); return ctx.kv.get("x").then(() => { for (;;) {} }); },
  wait: () => new Promise(() => {}), ping: () => "pong" } };`;

function entered(times = 1): Promise<void> {
  return until(
    () => printed.filter(({ line }) => line.endsWith("entered")).length >= times,
    "the call is in the plugin",
  );
}

const UNLOADED = "Plugin sandbox unavailable for test:1.0.0: it was unloaded";

describe("load", () => {
  it("returns before the process is up, because EmDash loads its plugins one after another", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, "for (;;) {}");
    expect(plugin.id).toBe("test:1.0.0");
    expect(runner.currentEpoch).toBe(0);
    await plugin.terminate();
  });

  it("gives the loaded plugin for the same code and manifest", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, PING);
    expect(await loadPlugin(runner, PING)).toBe(plugin);
    // What the sandbox does not act upon makes no difference.
    expect(await loadPlugin(runner, PING, { admin: { pages: [] }, hooks: ["content:afterSave"] })).toBe(
      plugin,
    );
    expect(await ask(plugin)).toBe("pong");
    expect(runner.currentEpoch).toBe(1);
  });

  it.each<[what: string, code: string, manifest: object]>([
    ["code", routeOf("return 'new'"), {}],
    ["capabilities", PING, { capabilities: ["content:read"] }],
    ["storage", PING, { storage: { a: { indexes: [] } } }],
    ["hosts", PING, { allowedHosts: ["a.example"] }],
  ])(
    "replaces the loaded plugin for other %s under the same id and version",
    async (_what, code, manifest) => {
      const runner = makeRunner();
      const old = await loadPlugin(runner, PING);
      await ask(old);
      const next = await runner.load(manifestOf({ ...manifest }), code);
      expect(next).not.toBe(old);
      const answer = code === PING ? "pong" : "new";
      expect(await ask(next)).toBe(answer);
      expect(await ask(old)).toBe(answer);
      await old.terminate();
      await expect(ask(old)).rejects.toThrow(UNLOADED);
      await expect(old.invokeHook("none", {})).rejects.toThrow(UNLOADED);
      expect(await ask(next)).toBe(answer);
    },
  );

  it("puts the new manifest's capabilities in force, and only these", async () => {
    const runner = makeRunner({ db: site.db });
    const code = routeOf(
      `return [typeof ctx.users, await ctx.content.list("x").then(() => "may", (e) => e.message)]`,
    );
    const refused = `Bridge call content/list failed: {"error":"Missing capability: content:read"}`;
    const load = async (...capabilities: string[]) => ask(await loadPlugin(runner, code, { capabilities }));
    expect(await load()).toEqual(["undefined", refused]);
    expect(await load("content:read", "users:read")).toEqual(["object", "may"]);
    expect(await load("users:read")).toEqual(["object", refused]);
  });

  it("of a new version leaves the old one to its own end", async () => {
    const runner = makeRunner();
    const [one, two] = [await loadPlugin(runner, PING), await loadPlugin(runner, PING, { version: "2.0.0" })];
    await one.terminate();
    expect(await ask(two)).toBe("pong");
    await expect(ask(one)).rejects.toThrow(UNLOADED);
  });
});

describe("terminate", () => {
  it("lets a call in flight end, refuses new ones, and leaves no process (Linux)", async () => {
    const plugin = await loadPlugin(makeRunner({ db: site.db }), GATED, { id: "gated" });
    const inFlight = ask(plugin);
    await entered();
    const end = plugin.terminate();
    await expect(ask(plugin)).rejects.toMatchObject({ name: "SandboxUnavailableError" });
    await insertRow(site.db, { plugin: "gated", collection: "__kv", id: "gate", data: "true" });
    expect(await inFlight).toBe("done");
    await end;
    if (onLinux) expect(workerdsOf(process.pid)).toEqual([]);
  });

  it("ends a plugin that has not started yet; its waiting calls are refused", async () => {
    const plugin = await loadPlugin(makeRunner(), PING);
    const waiting = ask(plugin);
    const refused = expect(waiting).rejects.toThrow(UNLOADED);
    await plugin.terminate();
    await refused;
    if (onLinux) expect(workerdsOf(process.pid)).toEqual([]);
  });

  it("is harmless twice, at once and later, and after terminateAll", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, PING);
    await ask(plugin);
    await Promise.all([plugin.terminate(), plugin.terminate(), runner.terminateAll(), runner.terminateAll()]);
    await plugin.terminate();
    await runner.terminateAll();
    await expect(ask(plugin)).rejects.toThrow(UNLOADED);
  });

  it("may be called from inside an operation of the plugin that it ends", async () => {
    let end: Promise<void> | undefined;
    const db = new Proxy({} as never, {
      get() {
        end ??= plugin.terminate();
        throw new Error("the database closes");
      },
    });
    const plugin = await loadPlugin(
      makeRunner({ db }),
      routeOf(`return ctx.kv.get("x").catch(() => "told")`),
    );
    expect(await ask(plugin)).toBe("told");
    expect(end).toBeDefined();
    await end;
  });
});

describe("terminateAll", () => {
  it("ends also a plugin that spins, within its time, and the runner can be used again (Linux)", async () => {
    const runner = makeRunner({ db: site.db });
    const spinning = await loadPlugin(runner, SPINNING);
    const stuck = expect(ask(spinning)).rejects.toMatchObject({ name: "SandboxUnavailableError" });
    const other = await loadPlugin(runner, PING, { id: "other" });
    await ask(other);
    await entered();
    await runner.terminateAll();
    await stuck;
    if (onLinux) expect(workerdsOf(process.pid)).toEqual([]);
    expect(await ask(await loadPlugin(runner, PING))).toBe("pong");
  });

  it("on a runner without plugins ends at once", async () => {
    await makeRunner().terminateAll();
  });
});

it("hundred loads and unloads beside it lose no call of another plugin", async () => {
  const runner = makeRunner();
  const steady = await loadPlugin(runner, PING, { id: "steady" });
  await ask(steady);
  let churning = true;
  const calls = (async () => {
    let count = 0;
    for (; churning || count === 0; count += 1) expect(await ask(steady)).toBe("pong");
    return count;
  })();
  for (let n = 0; n < 100; n += 1)
    await (await loadPlugin(runner, PING, { id: `churn-${n % 7}` })).terminate();
  churning = false;
  expect(await calls).toBeGreaterThan(0);
});
