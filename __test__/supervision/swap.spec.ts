/** Loading, and what takes another's place. */
import { randomInt } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { SandboxedPlugin } from "../../host/plugin.js";
import type { WorkerdSandboxRunner } from "../../host/runner.js";
import { useConsole } from "../support/console.js";
import { fakeRunner } from "../support/fake.js";
import { GATED, Gate, MAY_MAIL } from "../support/gate.js";
import { onLinux, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, manifestOf, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");
const UNLOADED = "Plugin sandbox unavailable for test:1.0.0: it was unloaded";

/** Resolves when what was loaded last is all that there is. */
function settled(runner: WorkerdSandboxRunner, left = 1): Promise<void> {
  return until(() => runner.status().plugins.length === left, "what was replaced has ended");
}

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

describe("a swap under the same id and version", () => {
  it("goes unnoticed by whoever holds the old plugin: answers are the old code's, then the new one's", async () => {
    const runner = makeRunner();
    const held = await loadPlugin(runner, routeOf("return 1"));
    expect(await ask(held)).toBe(1);
    const next = await loadPlugin(runner, routeOf("return 2"));
    const answers: unknown[] = [];
    while (answers.at(-1) !== 2) answers.push(await ask(held));
    expect(answers).toEqual(answers.toSorted());
    expect(await ask(next)).toBe(2);
    expect(held.isTerminated).toBe(false);
    await runner.ensureRunning();
    await settled(runner);
    if (onLinux) expect(workerdsOf(process.pid)).toHaveLength(1);
  });

  it("lets the calls that are in the old process end there", async () => {
    const gate = new Gate();
    const runner = makeRunner({ emailSend: gate.emailSend });
    const held = await loadPlugin(runner, GATED, MAY_MAIL);
    const inFlight = ask(held);
    await gate.entered();
    await ask(await loadPlugin(runner, PING, MAY_MAIL));
    await until(() => runner.status().plugins[0]?.state === "draining", "the old one takes no more calls");
    expect(await ask(held)).toBe("pong");
    gate.open();
    expect(await inFlight).toBe("done");
    await settled(runner);
  });

  it("lets the old code serve as long as the new one starts; that it can't start is then what callers hear", async () => {
    vi.stubEnv("EMDASH_SANDBOX_START_TIMEOUT_MS", "1500");
    const runner = makeRunner();
    const held = await loadPlugin(runner, PING);
    await ask(held);
    const next = await loadPlugin(runner, "for (;;) {}");
    const refused = expect(ask(next)).rejects.toThrow("it was not ready after 1500 ms");
    // Its actor is told on another thread.
    await until(() => runner.status().plugins[1]?.state === "starting", "the new one starts");
    for (let call = 0; call < 20; call += 1) expect(await ask(held)).toBe("pong");
    expect(runner.status().plugins.map(({ state }) => state)).toEqual(["serving", "starting"]);
    await refused;
    await settled(runner);
    await expect(ask(held)).rejects.toThrow("it was not ready after 1500 ms");
  });

  it("ten times in a row, before any of them is up, ends with the last code and one process", async () => {
    const runner = makeRunner();
    const held = await loadPlugin(runner, routeOf("return 0"));
    await ask(held);
    const all = [held];
    for (let n = 1; n <= 10; n += 1) all.push(await loadPlugin(runner, routeOf(`return ${n}`)));
    expect(await ask(all[10] as SandboxedPlugin)).toBe(10);
    await settled(runner);
    for (const plugin of all) expect(await ask(plugin)).toBe(10);
    // There and back.
    const back = await loadPlugin(runner, routeOf("return 0"));
    expect(await ask(back)).toBe(0);
    await settled(runner);
    for (const plugin of all) expect(await ask(plugin)).toBe(0);
    if (onLinux) expect(workerdsOf(process.pid)).toHaveLength(1);
  });

  it("that is undone before it serves ends both, and the code may be loaded again at once", async () => {
    const runner = makeRunner();
    const old = await loadPlugin(runner, PING);
    await ask(old);
    const next = await loadPlugin(runner, routeOf("return 'new'"));
    const end = next.terminate();
    expect(old.isTerminated).toBe(true);
    const again = await loadPlugin(runner, PING);
    expect(again).not.toBe(old);
    expect(await ask(again)).toBe("pong");
    await end;
    await settled(runner);
    expect(await ask(again)).toBe("pong");
    await expect(ask(old)).rejects.toThrow(UNLOADED);
  });

  it("ends the old load's token, and the new one has its own", async () => {
    const runner = fakeRunner("tells-token.mjs");
    const held = await loadPlugin(runner, "");
    const old = String(await ask(held));
    expect(runner.validateToken(old)).toMatchObject({ capabilities: [] });
    await loadPlugin(runner, "", { capabilities: ["content:read"] });
    await until(async () => (await ask(held)) !== old, "the new load serves");
    expect(runner.validateToken(old)).toBeNull();
    expect(runner.validateToken(String(await ask(held)))).toMatchObject({ capabilities: ["content:read"] });
    await settled(runner);
  });

  it("ends what the old process did beside its calls: nothing that it asks for is carried out any more", async () => {
    const runner = makeRunner({ db: site.db });
    const busy = routeOf(`
      (async () => { for (let n = 1; ; n += 1) await ctx.kv.set("n", n); })();
      return "busy";`);
    const plugin = await loadPlugin(runner, busy, { id: "busy" });
    expect(await ask(plugin)).toBe("busy");
    const next = await loadPlugin(runner, routeOf(`return ctx.kv.get("n")`), { id: "busy" });
    await until(async () => Number(await ask(next)) > 0, "it has begun to write");
    await settled(runner);
    const written = await ask(next);
    for (let call = 0; call < 20; call += 1) expect(await ask(next)).toBe(written);
  });
});

describe("32 callers", () => {
  /** They call without a pause until `done`, and every call must be answered with one of `answers`. */
  async function under(
    plugin: SandboxedPlugin,
    answers: unknown[],
    work: () => Promise<void>,
  ): Promise<void> {
    let isDone = false;
    const served = Array.from({ length: 32 }, async () => {
      let calls = 0;
      for (; !isDone; calls += 1) expect(answers).toContain(await ask(plugin));
      return calls;
    });
    try {
      await work();
    } finally {
      isDone = true;
    }
    for (const calls of await Promise.all(served)) expect(calls).toBeGreaterThan(0);
  }

  it("lose no call while 200 other plugins are loaded, swapped and unloaded beside theirs", async () => {
    const runner = makeRunner();
    const steady = await loadPlugin(runner, PING, { id: "steady" });
    await ask(steady);
    await under(steady, ["pong"], async () => {
      // Three lanes, each of which does three things at a time: 201 in all.
      const lane = async (at: number) => {
        for (let n = 0; n < 67; n += 3) {
          const id = `churn-${at}-${randomInt(3)}`;
          const plugin = await loadPlugin(runner, routeOf(`return ${n}`), { id });
          expect(await ask(plugin)).toBe(n);
          const next = await loadPlugin(runner, routeOf(`return ${n} + 1`), { id });
          expect(await ask(next)).toBe(n + 1);
          await next.terminate();
        }
      };
      await Promise.all([1, 2, 3].map(lane));
    });
    await settled(runner);
    expect(printed.filter(({ line }) => line.includes("[plugin:steady]"))).toEqual([]);
  }, 120_000);

  it("lose no call while the very plugin that they hold is swapped, again and again", async () => {
    const runner = makeRunner();
    const held = await loadPlugin(runner, routeOf("return 0"));
    await ask(held);
    const answers = Array.from({ length: 21 }, (_, n) => n);
    await under(held, answers, async () => {
      for (let n = 1; n <= 20; n += 1) {
        const next = await loadPlugin(runner, routeOf(`return ${n}`));
        // Every third one has to make way before it serves.
        if (n % 3 !== 0) expect(await ask(next)).toBe(n);
      }
    });
    await settled(runner);
  }, 120_000);
});
