/** Several hosts, several runners, several threads: they share a machine and nothing else. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { Host } from "../support/host.js";
import { onLinux, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

useConsole();

it("four hosts at once load three plugins each, and serve", async () => {
  const hosts = [1, 2, 3, 4].map(() => new Host("serving.mjs", { args: ["3"] }));
  for (const host of hosts) await host.said("ready");
  for (const host of hosts) if (onLinux) expect(workerdsOf(host.pid)).toHaveLength(3);
  // The end of one is not the others'.
  hosts[0]?.kill("SIGKILL");
  await hosts[0]?.ended;
  for (const host of hosts.slice(1)) {
    host.tell("again");
    await host.said("served again");
    expect(host.err).toBe("");
  }
});

it("runners in worker threads, one each, serve at the same time as that of the main thread", async () => {
  const host = new Host("threads.mjs", { args: ["3"] });
  await host.said("all serve");
  if (onLinux) expect(workerdsOf(host.pid)).toHaveLength(4 * 2);
  host.tell("end");
  await host.said("threads ended");
  await host.said("pong");
  expect(await host.ended).toEqual({ code: 0, signal: null });
});

it("a thread may end in the middle of what an answer sets off, however it ends", async () => {
  const host = new Host("thread-ends.mjs");
  await host.said("is ended: 1");
  expect(host.out.trim().split("\n")).toEqual(["exits: 3", "throws: 1", "closes: 0", "is ended: 1"]);
  expect(await host.ended).toEqual({ code: 0, signal: null });
  expect(host.err).toBe("");
});

it("what the site throws after an answer is told to its process, and the runner serves on", async () => {
  const host = new Host("throws.mjs");
  await host.said("still pong");
  expect(await host.ended).toEqual({ code: 0, signal: null });
  const said = host.out.trim().split("\n").toSorted();
  expect(said).toEqual(["still pong", "uncaught: microtask", "uncaught: tick", "unhandled: promise"]);
});

it("runners in one process have plugins of the same name, and the end of one runner is not the others'", async () => {
  const runners = [1, 2, 3].map(() => makeRunner());
  const plugins = await Promise.all(runners.map((runner, at) => loadPlugin(runner, routeOf(`return ${at}`))));
  expect(await Promise.all(plugins.map((plugin) => ask(plugin)))).toEqual([0, 1, 2]);
  await runners[1]?.terminateAll();
  const outcomes = await Promise.allSettled(plugins.map((plugin) => ask(plugin)));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  if (onLinux) expect(workerdsOf(process.pid)).toHaveLength(2);
});
