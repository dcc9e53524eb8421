/** Unloading: one plugin or all, by whoever, in whatever state they are. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { SandboxedPlugin } from "../../host/plugin.js";
import type { WorkerdSandboxRunner } from "../../host/runner.js";
import { useConsole } from "../support/console.js";
import { createCollection } from "../support/database.js";
import { fakeRunner } from "../support/fake.js";
import { GATED, Gate, MAY_MAIL } from "../support/gate.js";
import { childrenOf, onLinux, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");
const UNLOADED = "Plugin sandbox unavailable for test:1.0.0: it was unloaded";

function noProcessLeft(): void {
  if (onLinux) expect(childrenOf(process.pid)).toEqual([]);
}

describe("terminate", () => {
  it("lets a call in flight end, refuses new ones, and leaves no process", async () => {
    const gate = new Gate();
    const plugin = await loadPlugin(makeRunner({ emailSend: gate.emailSend }), GATED, MAY_MAIL);
    const inFlight = ask(plugin);
    await gate.entered();
    const end = plugin.terminate();
    await expect(ask(plugin)).rejects.toMatchObject({
      name: "SandboxUnavailableError",
      message: UNLOADED,
    });
    await expect(plugin.ensureRunning()).rejects.toThrow(UNLOADED);
    gate.open();
    expect(await inFlight).toBe("done");
    await end;
    noProcessLeft();
  });

  it("ends a plugin that has not started yet; its waiting calls are refused", async () => {
    const plugin = await loadPlugin(makeRunner(), PING);
    const waiting = ask(plugin);
    const refused = expect(waiting).rejects.toThrow(UNLOADED);
    await plugin.terminate();
    await refused;
    noProcessLeft();
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

  it("asks the process to end before it ends it, and does not insist on an answer", async () => {
    const runner = fakeRunner("as-told.mjs", { FAKE_TELLS: "1" });
    const polite = await loadPlugin(runner, "");
    expect(await ask(polite, "hello")).toBe("hello");
    await polite.terminate();
    noProcessLeft();
    await until(() => printed.some(({ line }) => line.endsWith("asked to end")), "it heard SIGTERM");

    const deaf = await loadPlugin(fakeRunner("as-told.mjs", { FAKE_TELLS: "1", FAKE_DEAF: "1" }), "", {
      id: "deaf",
    });
    expect(await ask(deaf, "hello")).toBe("hello");
    await deaf.terminate();
    noProcessLeft();
    const heard = "[emdash:workerd] [plugin:deaf] asked to end";
    await until(() => printed.some(({ line }) => line === heard), "it heard SIGTERM, and stayed");
    // Neither end is a failure.
    expect(printed.map(({ line }) => line).filter((line) => line.includes("stopped"))).toEqual([]);
  });
});

describe("terminateAll", () => {
  it("ends also a plugin that spins, within its time, and the runner can be used again", async () => {
    const gate = new Gate();
    gate.open();
    // More than it has, so that it is the unloading that ends it.
    const runner = makeRunner({ emailSend: gate.emailSend, limits: { cpuMs: 25_000 } });
    const spin = routeOf(`await ctx.email.send({ to: "a@b.example", subject: "s", text: "t" }); for (;;) {}`);
    const spinning = await loadPlugin(runner, spin, MAY_MAIL);
    const stuck = expect(ask(spinning)).rejects.toThrow("it was unloaded, and this call did not end in time");
    const other = await loadPlugin(runner, PING, { id: "other" });
    await ask(other);
    await gate.entered();
    await runner.terminateAll();
    await stuck;
    noProcessLeft();
    expect(runner.status().plugins).toEqual([]);
    await expect(ask(other)).rejects.toThrow("it was unloaded");
    expect([runner.isAvailable(), runner.isHealthy()]).toEqual([true, true]);
    const again = await loadPlugin(runner, PING);
    expect(await ask(again)).toBe("pong");
    if (onLinux) for (const pid of workerdsOf(process.pid)) process.kill(pid, "SIGKILL");
    await until(
      async () => (await ask(again).catch(() => undefined)) === "pong",
      "a crash is recovered from",
    );
  });

  it("on a runner without plugins ends at once", async () => {
    await makeRunner().terminateAll();
  });

  it("between two loads that do not wait for it, as when EmDash reconfigures, ends the first alone", async () => {
    const runner = makeRunner();
    const before = await loadPlugin(runner, PING);
    await ask(before);
    const end = runner.terminateAll();
    const after = await loadPlugin(runner, PING);
    expect(await ask(after)).toBe("pong");
    await end;
    await expect(ask(before)).rejects.toThrow(UNLOADED);
    expect(await ask(after)).toBe("pong");
    if (onLinux) expect(workerdsOf(process.pid)).toHaveLength(1);
  });
});

describe("from inside a call-back of the site, in the very call that waits for it", () => {
  type End = (runner: WorkerdSandboxRunner, plugin: SandboxedPlugin) => Promise<unknown>;
  const ways: [name: string, end: End][] = [
    ["terminate", (_, plugin) => plugin.terminate()],
    ["terminate, twice", (_, plugin) => Promise.all([plugin.terminate(), plugin.terminate()])],
    ["terminateAll", (runner) => runner.terminateAll()],
    ["unloadPlugin", (runner, plugin) => runner.unloadPlugin(plugin.id)],
  ];
  const bodies: [where: string, body: string][] = [
    ["mail", `await ctx.email.send({ to: "a@b.example", subject: "s", text: "t" })`],
    ["media", `await ctx.media.upload("a.png", "image/png", new Uint8Array(3))`],
    ["write", `await ctx.content.create("posts", { title: "t" })`],
  ];

  /** A call that nothing ends: its plugin's unloading takes all of the time that there is for it. */
  async function stuckCall(): Promise<{ stuck: SandboxedPlugin; cut: Promise<void> }> {
    const gate = new Gate();
    const stuck = await loadPlugin(makeRunner({ emailSend: gate.emailSend }), GATED, MAY_MAIL);
    const cut = expect(ask(stuck)).rejects.toThrow("it was unloaded, and this call did not end in time");
    await gate.entered();
    return { stuck, cut };
  }

  it("none of them waits for that call, which could never end", async () => {
    await createCollection(site.db, "posts", { title: "string" });
    const finished: string[] = [];
    const { stuck, cut } = await stuckCall();
    const slow = stuck.terminate().then(() => finished.push("the slow one"));

    const cases = ways.flatMap(([way, end]) => bodies.map(([where, body]) => ({ way, end, where, body })));
    const ends = cases.map(async ({ way, end, where, body }) => {
      let plugin: SandboxedPlugin | undefined;
      const callback = async () => {
        if (plugin === undefined) throw new Error("it is loaded before it is asked");
        await end(runner, plugin);
        finished.push(`${way} in ${where}`);
      };
      const runner = makeRunner({
        db: site.db,
        emailSend: callback,
        beforeContentWrite: callback,
        // A file whose plugin has been unloaded gets no row, and is removed.
        mediaStorage: { upload: callback, delete: async () => {} },
      } as never);
      const other = await loadPlugin(runner, PING, { id: "other" });
      await ask(other);
      const capabilities = ["email:send", "media:write", "content:write"];
      plugin = await loadPlugin(runner, routeOf(body), { capabilities });
      await expect(ask(plugin)).rejects.toMatchObject({ name: "SandboxUnavailableError" });
      await until(() => finished.includes(`${way} in ${where}`), `${way} in ${where} ends`);
    });
    await Promise.all([...ends, slow, cut]);
    expect(finished).toHaveLength(cases.length + 1);
    expect(finished.at(-1)).toBe("the slow one");
  }, 60_000);

  it("also when the unloading was asked for elsewhere before, and waits for the call", async () => {
    const { stuck, cut } = await stuckCall();
    const order: string[] = [];
    const gate = new Gate();
    const emailSend: typeof gate.emailSend = async (...message) => {
      await gate.emailSend(...message);
      await plugin.terminate();
      order.push("inside");
    };
    const plugin = await loadPlugin(makeRunner({ emailSend }), GATED, MAY_MAIL);
    const call = expect(ask(plugin)).rejects.toMatchObject({ name: "SandboxUnavailableError" });
    await gate.entered();
    const slow = stuck.terminate().then(() => order.push("slow"));
    const outside = plugin.terminate().then(() => order.push("outside"));
    gate.open();
    await Promise.all([call, cut, outside, slow]);
    expect(order.toSorted()).toEqual(["inside", "outside", "slow"]);
    expect(order.at(-1)).toBe("slow");
  });
});

describe("afterwards (Linux)", () => {
  /** What this process has open, by kind. */
  function descriptors(): string[] {
    const links = readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, "n");
      } catch {
        return "closed";
      }
    });
    return links.filter((link) => link !== "closed" && link !== "/proc/n/fd").sort();
  }

  /** What is open now and was not then. What a runner of an earlier test had open may be collected meanwhile. */
  function openedSince(before: string[]): string[] {
    const then = [...before];
    return descriptors().filter((link) => {
      const known = then.indexOf(link);
      if (known >= 0) then.splice(known, 1);
      return known < 0;
    });
  }

  it("there is no process, descriptor, file or timer, whatever the plugins were doing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    vi.stubEnv("TMPDIR", folder);
    const runner = makeRunner({ db: site.db });
    await ask(await loadPlugin(runner, PING));
    await runner.terminateAll();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = { descriptors: descriptors(), timers: timers() };
    for (let round = 0; round < 3; round += 1) {
      const served = await Promise.all(
        ["a", "b", "c"].map((id) => loadPlugin(runner, PING, { id: `${id}-${round}` })),
      );
      await Promise.all(served.map((plugin) => ask(plugin)));
      for (const pid of workerdsOf(process.pid).slice(0, 1)) process.kill(pid, "SIGKILL");
      await loadPlugin(runner, "for (;;) {}", { id: "spins" });
      await loadPlugin(runner, "throw 1", { id: "throws" });
      await loadPlugin(runner, routeOf("return 'new'"), { id: `a-${round}` });
      await ask(
        await loadPlugin(runner, routeOf("return ctx.kv.set('k', 'x'.repeat(2e6))"), { id: "large" }),
      );
      await runner.terminateAll();
    }
    noProcessLeft();
    expect(readdirSync(folder)).toEqual([]);
    await vi.waitFor(() => expect(openedSince(before.descriptors)).toEqual([]), { timeout: 10_000 });
    expect(timers()).toBeLessThanOrEqual(before.timers);
  });
});

it("a storm of loads, calls and unloads leaves nothing, and every call is answered or refused by name", async () => {
  const runner = makeRunner();
  const outcomes: Promise<unknown>[] = [];
  const words = (error: Error) => error.message;
  const ends: Promise<void>[] = [];
  for (let n = 0; n < 100; n += 1) {
    const plugin = await loadPlugin(runner, routeOf(`return ${n}`), { id: `p${n % 20}` });
    for (let call = 0; call < 5; call += 1) outcomes.push(ask(plugin).catch(words));
    if (n % 3 === 0) ends.push(plugin.terminate());
    if (n % 7 === 0) await new Promise(setImmediate);
  }
  await runner.terminateAll();
  await Promise.all(ends);
  for (const outcome of await Promise.all(outcomes)) {
    if (typeof outcome !== "number")
      expect(outcome).toMatch(/^Plugin sandbox unavailable for p\d+:1\.0\.0: it was unloaded/);
  }
  noProcessLeft();
  expect(runner.status().plugins).toEqual([]);
});
