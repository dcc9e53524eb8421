/** `EMDASH_SANDBOX_TRANSPORT=tcp`: what is said of it, and that its processes end with Node although no kernel sees to it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import "../support/tcp.js";
import { useConsole } from "../support/console.js";
import { Host } from "../support/host.js";
import { childrenOf, isAlive, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");

describe("the transport", () => {
  it.each(["", "auto", "unix"])("is unix on Linux by default, and with %j has no gaps", (name) => {
    vi.stubEnv("EMDASH_SANDBOX_TRANSPORT", name);
    expect(makeRunner().status().transport).toEqual({ name: "unix", gaps: [] });
  });

  it("is tcp when it is asked for, and says once what does not hold then, in status() and in the log", () => {
    const { transport, jail } = makeRunner().status();
    makeRunner();
    expect(transport?.name).toBe("tcp");
    expect(transport?.gaps).toHaveLength(3);
    const said = printed.filter(({ line }) => line.includes("less than Linux gives them"));
    expect(said.map(({ level }) => level)).toEqual(["warn"]);
    for (const gap of transport?.gaps ?? []) expect(said[0]?.line).toContain(gap);
    expect(jail?.layers.filter(({ enforced }) => enforced)).toEqual([]);
    expect(jail?.missing).toContain("EMDASH_SANDBOX_TRANSPORT is tcp");
  });

  it.each(["udp", "TCP", "tcp,unix", "0"])("can't be %j, which is refused by the variable's name", (name) => {
    vi.stubEnv("EMDASH_SANDBOX_TRANSPORT", name);
    expect(() => makeRunner()).toThrow(RangeError);
    expect(() => makeRunner()).toThrow("EMDASH_SANDBOX_TRANSPORT must be auto, unix or tcp");
  });

  it("runs no plugin where the jail is required, because there is none", () => {
    vi.stubEnv("EMDASH_SANDBOX_JAIL", "require");
    const runner = makeRunner();
    expect(runner.isAvailable()).toBe(false);
    expect(runner.unavailableReason()).toContain("EMDASH_SANDBOX_TRANSPORT is tcp");
  });
});

describe("a plugin's process", () => {
  it("that is killed fails its calls with the reason, and is replaced", async () => {
    const plugin = await loadPlugin(
      makeRunner(),
      `export default { routes: { run: () => "pong", wait: () => new Promise(() => {}) } }`,
    );
    expect(await ask(plugin)).toBe("pong");
    const waiting = ask(plugin, undefined, "wait");
    for (const pid of workerdsOf(process.pid)) process.kill(pid, "SIGKILL");
    await expect(waiting).rejects.toThrow("its process ended with signal 9");
    expect(await ask(plugin)).toBe("pong");
  });

  it("has nothing of Node's environment, and is in a group of its own", async () => {
    vi.stubEnv("SECRET_OF_THE_SITE", "secret");
    await ask(await loadPlugin(makeRunner(), PING));
    const { readFileSync } = await import("node:fs");
    const [pid = 0] = workerdsOf(process.pid);
    expect(readFileSync(`/proc/${pid}/environ`, "latin1")).not.toContain("SECRET_OF_THE_SITE");
    // `pid (comm) state ppid pgrp`
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[2]).toBe(String(pid));
    expect(readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")).toEqual(
      expect.arrayContaining(["serve", "--binary", "-"]),
    );
  });

  it("leaves none when its plugin ends, and the watchdog goes with the last of them", async () => {
    const runner = makeRunner();
    const plugins = [];
    for (const id of ["one", "two"]) plugins.push(await loadPlugin(runner, PING, { id }));
    for (const plugin of plugins) await ask(plugin);
    expect(workerdsOf(process.pid)).toHaveLength(2);
    expect(childrenOf(process.pid)).toHaveLength(3);
    await plugins[0]?.terminate();
    expect(childrenOf(process.pid)).toHaveLength(2);
    await plugins[1]?.terminate();
    expect(workerdsOf(process.pid)).toEqual([]);
    await until(() => childrenOf(process.pid).length === 0, "the watchdog is gone");
  });

  it("is watched again when somebody has ended the watchdog", async () => {
    const runner = makeRunner();
    await ask(await loadPlugin(runner, PING, { id: "one" }));
    const watchdogs = () => childrenOf(process.pid).filter((pid) => !workerdsOf(process.pid).includes(pid));
    const [first = 0] = watchdogs();
    process.kill(first, "SIGKILL");
    await until(() => !isAlive(first), "it is gone");
    await ask(await loadPlugin(runner, PING, { id: "two" }));
    await until(() => watchdogs().length === 1, "there is another");
    expect(watchdogs()).not.toContain(first);
  });
});

describe("a host", () => {
  it.each(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "that is ended by %s leaves no process, because a watchdog ends them",
    async (signal) => {
      const host = new Host("serving.mjs");
      await host.said("ready");
      const pids = childrenOf(host.pid);
      expect(workerdsOf(host.pid)).toHaveLength(2);
      expect(pids).toHaveLength(3);
      host.kill(signal);
      expect(await host.ended).toEqual({ code: null, signal });
      await until(() => !pids.some(isAlive), "they are gone");
    },
  );

  it("that has nothing left to do ends by itself, with its plugins loaded", async () => {
    const host = new Host("done.mjs");
    await host.said("ready");
    const pids = childrenOf(host.pid);
    host.tell("go");
    expect(await host.ended).toEqual({ code: 0, signal: null });
    await until(() => !pids.some(isAlive), "they are gone");
  });

  it("that drops its runner without closing it has no process left, not even the watchdog", async () => {
    const host = new Host("drops.mjs", { node: ["--expose-gc"] });
    await host.said("ready");
    const pids = childrenOf(host.pid);
    expect(pids).toHaveLength(3);
    host.tell("drop");
    await until(() => !pids.some(isAlive), "they are gone");
    expect(isAlive(host.pid)).toBe(true);
  });
});
