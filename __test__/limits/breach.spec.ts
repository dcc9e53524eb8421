/** After a breach: who is told what, who serves next, and what becomes of a plugin that does it again and again. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();

const CODE = `export default { routes: {
  wait: async (_, ctx) => { ctx.log.info("entered"); await new Promise(() => {}); },
  spin: () => { for (;;); },
  fill: () => { const all = []; for (;;) all.push({ a: [1, 2, 3] }); },
  run: () => "fine",
} };`;

function entered(times: number): Promise<void> {
  return until(
    () => printed.filter(({ line }) => line.endsWith("entered")).length >= times,
    "the calls are in the plugin",
  );
}

it("the plugin's other calls fail with an error that says which call exceeded what, because they are not to blame", async () => {
  // Younger calls than the one that spins are charged less.
  const plugin = await loadPlugin(makeRunner({ limits: { cpuMs: 200 } }), CODE);
  const spins = ask(plugin, {}, "spin");
  const waits = [ask(plugin, {}, "wait"), ask(plugin, {}, "wait")];
  await expect(spins).rejects.toThrow(
    new Error("Plugin test exceeded CPU-time limit of 200ms during route:spin"),
  );
  for (const outcome of await Promise.allSettled(waits)) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: {
        name: "SandboxUnavailableError",
        message: "Plugin sandbox unavailable for test:1.0.0: route:spin exceeded its CPU-time limit of 200ms",
      },
    });
  }
  expect(await ask(plugin)).toBe("fine");
});

it("where several calls are in flight and memory is full, nobody is blamed and all are told the limit", async () => {
  const plugin = await loadPlugin(makeRunner({ limits: { memoryMb: 32, cpuMs: 20_000 } }), CODE);
  const waits = [ask(plugin, {}, "wait"), ask(plugin, {}, "wait")];
  await entered(2);
  for (const outcome of await Promise.allSettled([...waits, ask(plugin, {}, "fill")])) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: {
        name: "SandboxUnavailableError",
        message: "Plugin sandbox unavailable for test:1.0.0: its memory limit of 32MB was exceeded",
      },
    });
  }
  expect(await ask(plugin)).toBe("fine");
});

it("where processor time runs out with memory nearly full, nobody of several is blamed either", async () => {
  const code = `let hoard; export default { routes: {
    wait: async (_, ctx) => { ctx.log.info("entered"); await new Promise(() => {}); },
    fill: () => { hoard = new Uint8Array(62 << 20).fill(1); for (;;); },
    run: () => "fine",
  } };`;
  const plugin = await loadPlugin(makeRunner({ limits: { memoryMb: 64, cpuMs: 500 } }), code);
  const wait = ask(plugin, {}, "wait");
  await entered(1);
  for (const outcome of await Promise.allSettled([wait, ask(plugin, {}, "fill")])) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: {
        name: "SandboxUnavailableError",
        message: "Plugin sandbox unavailable for test:1.0.0: its memory limit of 64MB was exceeded",
      },
    });
  }
  // Alone it is the one.
  await expect(ask(plugin, {}, "fill")).rejects.toThrow(
    new Error("Plugin test exceeded memory limit of 64MB during route:fill"),
  );
});

it("another plugin's call, and its state, know nothing of it", async () => {
  const runner = makeRunner({ limits: { cpuMs: 100 } });
  const counter = await loadPlugin(runner, `let n = 0; export default { routes: { run: () => ++n } };`, {
    id: "counter",
  });
  const culprit = await loadPlugin(runner, CODE, { id: "culprit" });
  for (const expected of [1, 2, 3]) {
    expect(await ask(counter)).toBe(expected);
    await expect(ask(culprit, {}, "spin")).rejects.toThrow("exceeded CPU-time limit");
  }
  expect(await ask(counter)).toBe(4);
});

it("a fresh process serves: what the plugin kept in memory is gone, what it stored is not", async () => {
  const code = `let n = 0; export default { routes: {
    run: async (_, ctx) => { await ctx.kv.set("n", ((await ctx.kv.get("n")) ?? 0) + 1); return [++n, await ctx.kv.get("n")]; },
    spin: () => { for (;;); },
  } };`;
  const plugin = await loadPlugin(makeRunner({ db: site.db, limits: { cpuMs: 200 } }), code, {
    id: "keeper",
  });
  expect(await ask(plugin)).toEqual([1, 1]);
  await expect(ask(plugin, {}, "spin")).rejects.toThrow("exceeded CPU-time limit");
  expect(await ask(plugin)).toEqual([1, 2]);
});

it("a plugin that breaches five times within a minute meets the circuit breaker, and its neighbour does not", async () => {
  const runner = makeRunner({ limits: { cpuMs: 50 } });
  const culprit = await loadPlugin(runner, CODE, { id: "culprit" });
  const neighbour = await loadPlugin(runner, CODE, { id: "neighbour" });
  for (let breach = 0; breach < 5; breach += 1) {
    await expect(ask(culprit, {}, "spin")).rejects.toThrow("exceeded CPU-time limit");
  }
  await expect(ask(culprit)).rejects.toMatchObject({
    name: "SandboxUnavailableError",
    message: expect.stringMatching(
      /^Plugin sandbox unavailable for culprit:1\.0\.0: route:spin exceeded its CPU-time limit of 50ms; it failed too often, so the next try is in \d+ s$/,
    ),
  });
  expect(await ask(neighbour)).toBe("fine");
  expect(runner.status().plugins.map(({ state }) => state)).toEqual(["open", "serving"]);
  expect(workerdsOf(process.pid)).toHaveLength(1);
});

it("a plugin with many calls that never ended is started afresh when it has nothing to do, because each may hold memory", async () => {
  const runner = makeRunner({ limits: { wallTimeMs: 200 } });
  const plugin = await loadPlugin(runner, CODE);
  const waits = await Promise.allSettled(Array.from({ length: 7 }, () => ask(plugin, {}, "wait")));
  expect(waits.every(({ status }) => status === "rejected")).toBe(true);
  // Seven are borne.
  expect([await ask(plugin), runner.currentEpoch]).toEqual(["fine", 1]);
  await expect(ask(plugin, {}, "wait")).rejects.toThrow("exceeded wall-time limit");
  await until(
    () => printed.some(({ line }) => line.includes("starts afresh: 8 calls of it did not end in time")),
    "it says so",
  );
  expect([await ask(plugin), runner.currentEpoch]).toEqual(["fine", 2]);
  expect(runner.status().plugins[0]).toMatchObject({ failures: 0, starts: 2 });
});

it("and what an answered call of it has left running comes to its end before, because it has its time", async () => {
  const code = `export default { routes: {
    wait: () => new Promise(() => {}),
    pause: () => new Promise((resolve) => setTimeout(resolve, 1100)),
    run: (_, ctx) => { setTimeout(() => { ctx.kv.set("late", 1); }, 600); return "answered"; },
  } };`;
  const runner = makeRunner({ db: site.db, limits: { wallTimeMs: 1500 } });
  const plugin = await loadPlugin(runner, code, { id: "littered" });
  const waits = Promise.allSettled(Array.from({ length: 8 }, () => ask(plugin, {}, "wait")));
  // It is answered while they wait, and writes after they have timed out.
  await ask(plugin, {}, "pause");
  expect(await ask(plugin)).toBe("answered");
  expect((await waits).every(({ status }) => status === "rejected")).toBe(true);
  await until(() => printed.some(({ line }) => line.includes("starts afresh: 8 calls")), "it is replaced");
  const rows = await site.db
    .selectFrom("_plugin_storage")
    .select("id")
    .where("plugin_id", "=", "littered")
    .execute();
  expect(rows).toEqual([{ id: "late" }]);
});

it("a plugin whose late calls end all the same is not started afresh, because nothing of them is left", async () => {
  const runner = makeRunner({ limits: { wallTimeMs: 300 } });
  const code = `let all = []; export default { routes: {
    wait: () => new Promise((resolve) => all.push(resolve)),
    end: () => { for (const resolve of all.splice(0)) resolve(); return "ended"; },
  } };`;
  const plugin = await loadPlugin(runner, code);
  for (let round = 0; round < 3; round += 1) {
    const waits = await Promise.allSettled(Array.from({ length: 7 }, () => ask(plugin, {}, "wait")));
    expect(waits.every(({ status }) => status === "rejected")).toBe(true);
    expect(await ask(plugin, {}, "end")).toBe("ended");
  }
  expect([runner.currentEpoch, runner.status().plugins[0]?.starts]).toEqual([1, 1]);
});
