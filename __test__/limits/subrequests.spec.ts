/** Subrequests: how many calls on `ctx` a hook or route may make, however it makes them. */
import { describe, expect, it } from "vitest";
import { attack, HARMLESS } from "../support/attack.js";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();

const REFUSED = `Bridge call kv/set failed: {"error":"Too many subrequests: a hook or route may make at most 20 calls on ctx"}`;

const options = () => ({ db: site.db, limits: { subrequests: 20 } });

/** Keys that the plugin `id` has stored. */
async function stored(id = "attacker"): Promise<number> {
  const rows = await site.db.selectFrom("_plugin_storage").select("id").where("plugin_id", "=", id).execute();
  return rows.length;
}

async function emptied(id = "attacker"): Promise<void> {
  await site.db.deleteFrom("_plugin_storage").where("plugin_id", "=", id).execute();
}

describe("a plugin that makes more calls on ctx than it may", () => {
  it.each([
    ["awaited, one by one", "for (let n = 0; ; n += 1) await ctx.kv.set('k' + n, n)"],
    ["all at once", "await Promise.all(Array.from({ length: 200 }, (_, n) => ctx.kv.set('k' + n, n)))"],
    [
      "un-awaited, and then one",
      "for (let n = 0; n < 200; n += 1) ctx.kv.set('k' + n, n).catch(() => {}); await ctx.kv.set('last', 1)",
    ],
    [
      "from timers",
      "await new Promise((_, reject) => { let n = 0; const timer = setInterval(() => ctx.kv.set('k' + n++, n).catch((error) => { clearInterval(timer); reject(error); }), 1) })",
    ],
    [
      "through a second hold on ctx",
      "const { kv } = ctx; const { set } = kv; for (let n = 0; ; n += 1) await (n % 2 ? set : ctx.kv.set)('k' + n, n)",
    ],
    [
      "with JSON, promises and maps of its own",
      `JSON.stringify = () => "{}"; Promise.prototype.then = () => {}; Map.prototype.get = () => 0; for (let n = 0; ; n += 1) await ctx.kv.set('k' + n, n)`,
    ],
  ])(
    "%s: the next one is refused with the limit, nothing of it is written, and it goes on",
    async (_way, body) => {
      await emptied();
      // Made again, it writes the same keys.
      expect(await attack({ body, options: options(), isBrief: true })).toEqual({
        told: `Plugin attacker:1.0.0 route run failed: ${REFUSED}`,
        ...HARMLESS,
      });
      expect(await stored()).toBe(20);
    },
  );

  const AFTER_ANSWER = `
    await ctx.kv.set("before", 1);
    setTimeout(async () => {
      let refused = 0;
      for (let n = 0; n < 200; n += 1) await ctx.kv.set("k" + n, n).catch(() => { refused += 1; });
      ctx.log.info("refused " + refused);
    }, 20);
    return "answered";`;

  it("after its answer has what it left over, and no more", async () => {
    await emptied("later");
    const plugin = await loadPlugin(makeRunner(options()), routeOf(AFTER_ANSWER), { id: "later" });
    expect(await ask(plugin)).toBe("answered");
    await until(() => printed.some(({ line }) => line.endsWith("refused 181")), "it has tried all");
    expect(await stored("later")).toBe(20);
  });

  it("after its answer has no more, whatever else of it is answered meanwhile", async () => {
    await emptied();
    const isOver = () => printed.some(({ line }) => /refused \d+$/.test(line));
    expect(await attack({ body: AFTER_ANSWER, options: options(), isOver })).toEqual({
      told: "answered",
      ...HARMLESS,
    });
    // Others of this plugin, which made no calls, have begun with it.
    expect(await stored()).toBe(20);
  });

  it("through another invocation's async context charges that one alone, which is its own plugin's", async () => {
    await emptied("borrower");
    // The first invocation leaves a function behind that runs in its context; the second one calls it.
    const code = `
      import { AsyncResource } from "node:async_hooks";
      let borrowed;
      export default { routes: {
        lend: (_, ctx) => { borrowed = AsyncResource.bind((n) => ctx.kv.set("lent" + n, n)); return "lent"; },
        run: async (_, ctx) => {
          let refused = 0;
          for (let n = 0; n < 60; n += 1) await borrowed(n).catch(() => { refused += 1; });
          await ctx.kv.set("own", 1);
          return refused;
        },
      } };`;
    const plugin = await loadPlugin(makeRunner(options()), code, { id: "borrower" });
    expect(await ask(plugin, {}, "lend")).toBe("lent");
    // The lender has its 20, and the borrower its own.
    expect(await ask(plugin)).toBe(40);
    expect(await stored("borrower")).toBe(21);
  });

  it("can't charge another plugin", async () => {
    const runner = makeRunner(options());
    const greedy = await loadPlugin(
      runner,
      routeOf("for (let n = 0; n < 100; n += 1) await ctx.kv.get('x').catch(() => {})"),
      { id: "greedy" },
    );
    const modest = await loadPlugin(
      runner,
      routeOf("for (let n = 0; n < 20; n += 1) await ctx.kv.get('x'); return 'fine'"),
      { id: "modest" },
    );
    const [, answer] = await Promise.all([ask(greedy), ask(modest)]);
    expect(answer).toBe("fine");
  });
});

describe("what counts as a subrequest", () => {
  it("is every call that is refused, too, because the host has to look at it", async () => {
    const body = `
      for (let n = 0; n < 20; n += 1) await ctx.content.get("posts", "1").catch(() => {});
      return ctx.kv.set("k", 1).catch((error) => error.message);`;
    const plugin = await loadPlugin(makeRunner(options()), routeOf(body));
    expect(await ask(plugin)).toBe(REFUSED);
  });

  it("is not a log line, nor what never leaves the isolate", async () => {
    const body = `
      for (let n = 0; n < 100; n += 1) { ctx.log.debug("x"); ctx.url("/x"); void ctx.site.name; }
      for (let n = 0; n < 20; n += 1) await ctx.kv.get("k");
      return "fine";`;
    const plugin = await loadPlugin(makeRunner(options()), routeOf(body));
    expect(await ask(plugin)).toBe("fine");
  });

  it("is counted anew for each invocation", async () => {
    const plugin = await loadPlugin(
      makeRunner(options()),
      routeOf("for (let n = 0; n < 20; n += 1) await ctx.kv.get('k'); return 'fine'"),
    );
    for (let call = 0; call < 5; call += 1) expect(await ask(plugin)).toBe("fine");
  });
});

describe("the warning that a plugin would fail on Cloudflare", () => {
  const WARNING =
    "makes more than 10 calls on ctx in one hook or route: this plugin would fail on Cloudflare";
  const warnings = () => printed.filter(({ line }) => line.includes(WARNING)).length;
  const READS = routeOf("for (let n = 0; n < input; n += 1) await ctx.kv.get('k'); return 'fine'");

  it("comes once a plugin, past ten calls", async () => {
    const runner = makeRunner({ db: site.db });
    const plugin = await loadPlugin(runner, READS);
    await ask(plugin, 10);
    // Lines come in order: whatever the first call said is there when the second one's is.
    await ask(plugin, 11);
    await until(() => warnings() > 0, "it is warned of");
    await ask(plugin, 30);
    expect(warnings()).toBe(1);
    await ask(await loadPlugin(runner, READS, { id: "other" }), 11);
    await until(() => warnings() === 2, "the other one is warned of, too");
  });

  it("does not come at ten, which Cloudflare allows", async () => {
    const plugin = await loadPlugin(makeRunner({ db: site.db }), `${READS} // ten`);
    await ask(plugin, 10);
    await plugin.terminate();
    expect(warnings()).toBe(0);
  });
});
