/** Wall time: however a hook or route outstays it, its caller is told, and nothing of it happens afterwards. */

import type { Kysely } from "kysely";
import { describe, expect, it } from "vitest";
import type { RunnerOptions } from "../../host/options.js";
import { attack, HARMLESS } from "../support/attack.js";
import { useConsole } from "../support/console.js";
import { createCollection } from "../support/database.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();

const limits = { wallTimeMs: 1000 };

const TOLD = "Plugin attacker exceeded wall-time limit of 1000ms during route:run";

async function stored(id: string): Promise<string[]> {
  const rows = await site.db.selectFrom("_plugin_storage").select("id").where("plugin_id", "=", id).execute();
  return rows.map((row) => row.id);
}

async function titles(collection: string): Promise<unknown[]> {
  const tables = site.db as unknown as Kysely<Record<string, { title: string }>>;
  const rows = await tables.selectFrom(`ec_${collection}`).select("title").orderBy("title").execute();
  return rows.map(({ title }) => title);
}

describe("a plugin that takes longer than it may", () => {
  it.each([
    ["a promise that never resolves", "await new Promise(() => {})"],
    ["a timer", "await new Promise((resolve) => setTimeout(resolve, 60_000))"],
    ["timers without an end", "await new Promise(() => setInterval(() => {}, 50))"],
    ["an answer that is a thenable which never calls back", "return { then() {} }"],
    [
      "calls on ctx, one after another",
      "for (;;) { await ctx.kv.get('x'); await new Promise((resolve) => setTimeout(resolve, 20)); }",
    ],
    ["a stream that nobody ends", "await new Response(new ReadableStream({})).text()"],
    [
      "a lock whose key is behind it",
      "let open; await new Promise((resolve) => { open = resolve; }); open()",
    ],
  ])(
    "by %s is told so, by name, limit and operation; it lives, and so does its neighbour",
    async (_way, body) => {
      expect(await attack({ body, options: { db: site.db, limits } })).toEqual({ told: TOLD, ...HARMLESS });
    },
  );

  it("in a call of the host's that is slow is told so, and what the host does then is not waited for", async () => {
    let release = () => {};
    const sent = new Promise<void>((resolve) => {
      release = resolve;
    });
    const outcome = await attack({
      body: `await ctx.email.send({ to: "a@b.example", subject: "s", text: "t" })`,
      options: { db: site.db, limits, emailSend: () => sent },
      manifest: { capabilities: ["email:send"] },
    });
    release();
    expect(outcome).toEqual({ told: TOLD, ...HARMLESS });
  });

  it("writes nothing afterwards, by whichever way it tries to", async () => {
    const body = `
      const late = (key) => ctx.kv.set(key, 1).then(() => "written", (error) => error.message);
      const waited = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      globalThis.ends = Promise.all([
        waited(1600).then(() => late("timer")),
        (async () => { for (let n = 0; n < 40; n += 1) { await waited(50); } return late("loop"); })(),
        waited(1500).then(() => Promise.all([late("a"), late("b"), late("c")])),
        waited(1500).then(() => ctx.storage.notes.putMany([{ id: "many", data: 1 }]).catch((error) => error.message)),
      ]).then((all) => { ctx.log.info("unheard"); globalThis.done = all.flat(); });
      await new Promise(() => {});`;
    const code = `export default { routes: {
      run: async ({ input }, ctx) => { ${body} },
      ends: () => globalThis.done ?? "not yet",
    } };`;
    const plugin = await loadPlugin(makeRunner({ db: site.db, limits }), code, {
      id: "late",
      storage: { notes: { indexes: [] } },
    });
    await expect(ask(plugin)).rejects.toThrow("exceeded wall-time limit of 1000ms");
    await until(async () => (await ask(plugin, {}, "ends")) !== "not yet", "all have tried");
    const why = `{"error":"the hook or route that made this call is over"}`;
    const over = `Bridge call kv/set failed: ${why}`;
    expect(await ask(plugin, {}, "ends")).toEqual([
      over,
      over,
      over,
      over,
      over,
      `Bridge call storage/putMany failed: ${why}`,
    ]);
    expect(await stored("late")).toEqual([]);
    expect(printed.filter(({ line }) => line.endsWith("unheard"))).toEqual([]);
  });

  it("while the site looks at a write has it refused, because the write has not begun", async () => {
    await createCollection(site.db, "late_posts", { title: "string" });
    let isHeld = true;
    const held: (() => void)[] = [];
    const beforeContentWrite = () =>
      isHeld ? new Promise<void>((resolve) => held.push(resolve)) : Promise.resolve();
    const runner = makeRunner({ db: site.db, limits, beforeContentWrite } as RunnerOptions);
    const code = `export default { routes: {
      run: async (_, ctx) => { await Promise.all([
        ctx.content.create("late_posts", { title: "one" }),
        ctx.content.createMany("late_posts", [{ title: "two" }, { title: "three" }]),
      ]); },
      own: async (_, ctx) => { for (const title of ["four", "five"]) await ctx.content.create("late_posts", { title }); },
    } };`;
    const plugin = await loadPlugin(runner, code, { capabilities: ["content:write"] });
    await expect(ask(plugin)).rejects.toThrow("exceeded wall-time limit of 1000ms");
    expect(held).toHaveLength(2);
    isHeld = false;
    for (const release of held) release();
    // What was let go before them is through when these are: the database has one connection.
    await ask(plugin, {}, "own");
    expect(await titles("late_posts")).toEqual(["five", "four"]);
  });

  it("and is unloaded while the site looks at a write writes nothing afterwards", async () => {
    await createCollection(site.db, "gone_posts", { title: "string" });
    let release = () => {};
    let asked = 0;
    const beforeContentWrite = () => {
      asked += 1;
      return asked > 1 ? Promise.resolve() : new Promise<void>((resolve) => (release = resolve));
    };
    const runner = makeRunner({ db: site.db, beforeContentWrite } as RunnerOptions);
    const body = `await ctx.content.create("gone_posts", { title: input }); await ctx.kv.set("k", 1);`;
    const manifest = { capabilities: ["content:write"] };
    const plugin = await loadPlugin(runner, routeOf(body), manifest);
    const asking = ask(plugin, "one").catch(({ message }: Error) => message);
    await until(() => asked === 1, "the site is asked");
    await plugin.terminate();
    expect(await asking).toContain("it was unloaded, and this call did not end in time");
    release();
    const other = await loadPlugin(runner, routeOf(body), { ...manifest, id: "other" });
    for (const title of ["two", "three"]) await ask(other, title);
    expect(await titles("gone_posts")).toEqual(["three", "two"]);
  });

  it("while a file is stored gets no row for it, and the file is removed", async () => {
    let stored = () => {};
    const files = new Set<string>();
    const mediaStorage = {
      upload: async ({ key }: { key: string }) => {
        files.add(key);
        await new Promise<void>((resolve) => (stored = resolve));
      },
      delete: async (key: string) => void files.delete(key),
    };
    const runner = makeRunner({ db: site.db, limits, mediaStorage });
    const body = `await ctx.media.upload("a.png", "image/png", new Uint8Array([1, 2, 3]));`;
    const plugin = await loadPlugin(runner, routeOf(body), { capabilities: ["media:write"] });
    await expect(ask(plugin)).rejects.toThrow("exceeded wall-time limit of 1000ms");
    expect(files.size).toBe(1);
    stored();
    await until(() => files.size === 0, "the file is removed");
    expect(await site.db.selectFrom("media").select("id").execute()).toEqual([]);
  });

  it("and was answered before has the rest of its time, and nothing of it is written past that", async () => {
    const body = `
      const late = async (key, ms) => { await new Promise((resolve) => setTimeout(resolve, ms)); await ctx.kv.set(key, 1); };
      late("in time", 50).catch(() => {});
      late("too late", 2500).catch((error) => { globalThis.end = error.message; });
      return "answered";`;
    const code = `export default { routes: { run: async (_, ctx) => { ${body} }, end: () => globalThis.end ?? "not yet" } };`;
    // Two seconds, so that a busy machine has the first one in time.
    const plugin = await loadPlugin(makeRunner({ db: site.db, limits: { wallTimeMs: 2000 } }), code, {
      id: "answered",
    });
    expect(await ask(plugin)).toBe("answered");
    await until(async () => (await ask(plugin, {}, "end")) !== "not yet", "it has tried");
    expect(await ask(plugin, {}, "end")).toContain("the hook or route that made this call is over");
    expect(await stored("answered")).toEqual(["in time"]);
  });

  it("does not keep a call of another hook or route waiting that has the same process", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits }),
      routeOf("if (input) await new Promise(() => {}); return 'fine'"),
    );
    const stuck = ask(plugin, true);
    for (let call = 0; call < 20; call += 1) expect(await ask(plugin, false)).toBe("fine");
    await expect(stuck).rejects.toThrow("exceeded wall-time limit of 1000ms");
  });
});
