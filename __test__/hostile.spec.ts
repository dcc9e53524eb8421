/** Plugins that try to take the host with them. Each of these once did. */
import { expect, it } from "vitest";
import { useConsole } from "./support/console.js";
import { pluginsOf } from "./support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "./support/runner.js";
import { until } from "./support/until.js";

const site = useDatabase();
const printed = useConsole();

const HEALTHY = routeOf("return 'fine'");
const MEGABYTE = 1024 * 1024;

it("terminating a plugin at any moment of its start leaves no process, and none runs once it says so (Linux)", async () => {
  const runner = makeRunner();
  for (let at = 0; at < 40; at += 1) {
    const plugin = await loadPlugin(runner, HEALTHY, { id: `p${at}` });
    // From right away to about when a start is over.
    for (let turn = 0; turn < at * 20; turn += 1) await new Promise(setImmediate);
    await plugin.terminate();
    expect(pluginsOf(process.pid), `after termination ${at}`).toEqual([]);
  }
});

it("plugins that never start do not keep others from starting, because a start's turn ends", async () => {
  const runner = makeRunner();
  const stuck = [1, 2, 3, 4].map((at) => loadPlugin(runner, "for (;;) {}", { id: `stuck-${at}` }));
  await Promise.all(stuck);
  const plugin = await loadPlugin(runner, HEALTHY, { id: "fine" });
  expect(await ask(plugin)).toBe("fine");
  expect(
    printed.filter(({ line }) => line.includes("was not ready")),
    "the stuck ones still start",
  ).toEqual([]);
});

it("an answer of millions of values is refused, because the host would build an object of each", async () => {
  const bomb = "const e = {}, a = Array(1000).fill(e); return Array(5000).fill(a);";
  const plugin = await loadPlugin(makeRunner(), routeOf(`if (input === "bomb") { ${bomb} } return 'fine'`));
  await expect(ask(plugin, "bomb")).rejects.toThrow(
    "route run failed: its answer holds more than 500000 values",
  );
  expect(await ask(plugin)).toBe("fine");
});

it("arguments of millions of values are refused in the plugin, which goes on", async () => {
  const body = `
    const items = Array(300000).fill({ id: "a", data: {} });
    return ctx.storage.notes.putMany(items).catch((error) => error.message);`;
  const manifest = { storage: { notes: { indexes: [] } } };
  const plugin = await loadPlugin(makeRunner({ db: site.db }), routeOf(body), manifest);
  expect(await ask(plugin)).toContain("The arguments of a call may hold at most 500000 values");
});

it("a plugin that asks for much and reads nothing is ended, and costs the host no more than its bound", async () => {
  const body = `
    await ctx.kv.set("large", "x".repeat(900 * 1024));
    for (let round = 0; ; round += 1) {
      for (let call = 0; call < 1000; call += 1) ctx.kv.get("large").catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 1));
      for (const end = Date.now() + 400; Date.now() < end; );
    }`;
  const runner = makeRunner({ db: site.db, limits: { wallTimeMs: 4000 } });
  const plugin = await loadPlugin(runner, routeOf(body));
  const before = process.memoryUsage.rss();
  await expect(ask(plugin)).rejects.toThrow(
    /(wall-time|CPU-time|memory) limit|it does not read what it asked for|its process ended/,
  );
  expect((process.memoryUsage.rss() - before) / MEGABYTE).toBeLessThan(1000);
});

it("large un-awaited calls made before the answer are carried out, also when the plugin is unloaded at once", async () => {
  const body = `
    ctx.kv.set("first", "x".repeat(3 * ${MEGABYTE}));
    ctx.kv.set("second", "y".repeat(3 * ${MEGABYTE}));`;
  const runner = makeRunner({ db: site.db });
  const plugin = await loadPlugin(runner, routeOf(body), { id: "unawaited" });
  await ask(plugin);
  await plugin.terminate();
  const reader = await loadPlugin(
    runner,
    routeOf(`return [(await ctx.kv.get("first"))?.length, (await ctx.kv.get("second"))?.length]`),
    { id: "unawaited", version: "2.0.0" },
  );
  // What had begun when the plugin was unloaded is the database's to finish.
  await until(async () => String(await ask(reader)) === `${3 * MEGABYTE},${3 * MEGABYTE}`, "both are stored");
});

it("a plugin that throws megabytes at its start, or has a hundred thousand hooks, fails with a short reason at once", async () => {
  const runner = makeRunner();
  const huge = await loadPlugin(runner, `throw new Error("x".repeat(${2 * MEGABYTE}))`, { id: "huge" });
  const error = await ask(huge).catch((error: Error) => error);
  if (!(error instanceof Error)) throw new Error("it started");
  expect(error.message).toMatch(/it threw at its start: Error: x+/);
  expect(error.message.length).toBeLessThan(10_000);
  const names = `export default { hooks: Object.fromEntries(Array.from({ length: 100000 }, (_, at) => ["h" + at, () => {}])) }`;
  const many = await loadPlugin(runner, names, { id: "many" });
  await expect(ask(many)).rejects.toThrow("it has more than 1000 hooks or routes");
});

it("a console that throws loses nobody's answer", async () => {
  const plugin = await loadPlugin(makeRunner(), routeOf(`ctx.log.info("x"); return 'fine'`));
  const broken = () => {
    throw new Error("no console");
  };
  console.info = broken;
  console.warn = broken;
  expect(await ask(plugin)).toBe("fine");
});

it("a database that throws what can't be shown is an error for the plugin, not for the host", async () => {
  const db = new Proxy({} as typeof site.db, {
    get() {
      throw Object.create(null);
    },
  });
  const plugin = await loadPlugin(
    makeRunner({ db }),
    routeOf(`return ctx.kv.get("a").catch((e) => e.message)`),
  );
  expect(await ask(plugin)).toContain("Bridge call kv/get failed");
});

it("a flood of calls and logs leaves the host's event loop its turns", async () => {
  const body = `
    const end = Date.now() + 700;
    const flood = async () => { while (Date.now() < end) { ctx.log.info("flood"); await ctx.kv.get("x"); } };
    await Promise.all(Array.from({ length: 500 }, flood));`;
  const limits = { cpuMs: 10_000, subrequests: 1_000_000 };
  const plugin = await loadPlugin(makeRunner({ db: site.db, limits }), routeOf(body), { id: "flood" });
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 5);
  await ask(plugin);
  clearInterval(timer);
  // 140 would be all; without bounds there were fewer than ten.
  expect(turns).toBeGreaterThan(15);
});

it("ids and versions that look alike when put together are different plugins", async () => {
  const runner = makeRunner();
  const one = await loadPlugin(runner, routeOf("return 1"), { id: "a:b", version: "c" });
  const two = await loadPlugin(runner, routeOf("return 2"), { id: "a", version: "b:c" });
  expect([await ask(one), await ask(two)]).toEqual([1, 2]);
});
