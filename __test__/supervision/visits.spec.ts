/** JavaScript's thread runs plugins' actors itself while it has the time: nothing may depend on that it has. */
import { describe, expect, it } from "vitest";
import { ask, loadPlugin, makeRunner, useDatabase } from "../support/runner.js";

const site = useDatabase();

/** Nothing of JavaScript's runs meanwhile. */
function holdUp(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe("a host whose event loop is held up", () => {
  const pause = (ms: number) => `new Promise((resolve) => setTimeout(resolve, ${ms}))`;

  it("hears answers that were there in time, though their deadline is over", async () => {
    const runner = makeRunner({ limits: { wallTimeMs: 950, cpuMs: 5000 } });
    // A look at the clock after 500 ms would hear it as well, so it comes between that and the deadline.
    const code = `export default { routes: { run: async () => { await ${pause(550)}; return "in time"; } } };`;
    // Of one alone the answer and the deadline could be dealt with in the right order by chance.
    const ids = Array.from({ length: 10 }, (_, index) => `in-time-${index}`);
    const plugins = await Promise.all(ids.map((id) => loadPlugin(runner, code, { id })));
    await Promise.all(plugins.map((plugin) => plugin.ensureRunning()));
    const answers = plugins.map((plugin) => ask(plugin));
    holdUp(1300);
    expect(await Promise.all(answers)).toEqual(ids.map(() => "in time"));
  });

  it("ends one that is too late all the same, at its deadline", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { wallTimeMs: 400 } }),
      `export default { routes: { run: async () => { await ${pause(500)}; return "late"; } } };`,
    );
    const answer = ask(plugin);
    holdUp(700);
    await expect(answer).rejects.toThrow("exceeded wall-time limit of 400ms during route:run");
  });

  it("is no reason for which a plugin's processor time is not looked at", async () => {
    const runner = makeRunner({ limits: { cpuMs: 100 } });
    const plugin = await loadPlugin(
      runner,
      `export default { routes: { spin: () => { for (;;); }, run: () => 1 } };`,
    );
    expect(await ask(plugin)).toBe(1);
    const spins = ask(plugin, {}, "spin");
    holdUp(600);
    await expect(spins).rejects.toThrow(/CPU/);
    const [status] = runner.status().plugins;
    // It had 600 ms to spin in.
    expect(status?.used?.cpuMs).toBeLessThan(500);
  });
});

describe("a plugin that floods its host with what is none of JavaScript's business", () => {
  it("leaves the host's event loop its turns", async () => {
    const runner = makeRunner({
      db: site.db,
      limits: { subrequests: 10, cpuMs: 600_000, wallTimeMs: 20_000 },
    });
    const flood = await loadPlugin(
      runner,
      // Every call past the tenth is refused.
      `export default { routes: { async flood(_, ctx) {
         const end = Date.now() + 3000;
         for (let n = 0; Date.now() < end; n += 1) {
           const asked = ctx.kv.get("k").catch(() => {});
           if (n % 200 === 0) await asked;
         }
         return "over";
       } } };`,
      { id: "flood" },
    );
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 10);
    expect(await ask(flood, {}, "flood")).toBe("over");
    clearInterval(turning);
    // Of some 300, on a machine that has nothing else to do.
    expect(turns).toBeGreaterThan(50);
  });
});

describe("calls that JavaScript's thread deals with itself, and others that it does not", () => {
  it("keep the order in which they were made", async () => {
    const plugin = await loadPlugin(
      makeRunner({ db: site.db }),
      `const seen = [];
       export default { routes: { run: ({ input: { number } }) => { seen.push(number); return number; }, seen: () => seen } };`,
    );
    const calls: Promise<unknown>[] = [];
    for (let number = 0; number < 300; number += 1) {
      // A long one is for the io thread, and so are many at once.
      const filler = "x".repeat(number % 7 === 0 ? 200_000 : 10);
      calls.push(ask(plugin, { number, filler }));
      if (number % 50 === 0) await Promise.all(calls);
    }
    await Promise.all(calls);
    expect(await ask(plugin, {}, "seen")).toEqual(Array.from({ length: 300 }, (_, number) => number));
  });

  it("find what the ones before have left, however many are under way", async () => {
    const plugin = await loadPlugin(
      makeRunner({ db: site.db }),
      `export default { routes: { async run({ input: { key } }, ctx) {
         for (let n = 0; n < 5; n += 1) await ctx.kv.set(key, ((await ctx.kv.get(key)) ?? 0) + 1);
         return await ctx.kv.get(key);
       } } };`,
    );
    for (const width of [1, 3, 12, 40]) {
      const keys = Array.from({ length: width }, (_, index) => `${width}-${index}`);
      expect(await Promise.all(keys.map((key) => ask(plugin, { key })))).toEqual(keys.map(() => 5));
    }
  });
});
