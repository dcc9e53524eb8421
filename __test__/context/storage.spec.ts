/** `ctx.kv` and `ctx.storage` from the plugin to the database and back; `bridge/` tests the operations one by one. */
import { describe, expect, it } from "vitest";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";

const site = useDatabase();
let plugins = 0;

/** What the body answers in a plugin that nobody has seen. */
function fresh(body: string, manifest: Record<string, unknown> = {}): Promise<unknown> {
  plugins += 1;
  return inPlugin(body, {
    runner: makeRunner({ db: site.db }),
    manifest: { id: `fresh-${plugins}`, ...manifest },
  });
}

const TEXT = `const text = async (run) => { try { await run(); return "no error"; } catch (error) { return error.message; } };`;

describe("ctx.kv", () => {
  it("sets, gets, lists by a literal prefix and deletes", async () => {
    const body = `
      const log = [await ctx.kv.get("a_1"), await ctx.kv.set("a_1", { n: [1, null] }), await ctx.kv.set("ab1", 2)];
      log.push(await ctx.kv.get("a_1"), await ctx.kv.list("a_"), (await ctx.kv.list()).length);
      log.push(await ctx.kv.delete("a_1"), await ctx.kv.delete("a_1"), await ctx.kv.get("a_1"));
      return log.map((value) => value === undefined ? "undefined" : value)`;
    expect(await fresh(body)).toEqual([
      ...[null, "undefined", "undefined"],
      ...[{ n: [1, null] }, [{ key: "a_1", value: { n: [1, null] } }], 2],
      ...[true, false, null],
    ]);
  });

  it.each([
    ["null", "null"],
    ["half a character", `"\\ud800"`],
    ["every kind of character", `"\\u0000\\u2028🦀\\"\\\\"`],
    ["a key of another kind", `JSON.parse('{"__proto__":{"a":1}}')`],
    ["2 MB", `"é".repeat(2 ** 20)`],
  ])("keeps %s", async (_what, value) => {
    const body = `const value = ${value}; await ctx.kv.set("v", value);
      return JSON.stringify(await ctx.kv.get("v")) === JSON.stringify(value)`;
    expect(await fresh(body)).toBe(true);
  });

  it.each([
    ["no key", `ctx.kv.get()`, "kv/get", "Missing required string parameter: key"],
    ["a key that is a number", `ctx.kv.get(5)`, "kv/get", "Missing required string parameter: key"],
    [
      "half a character as key",
      `ctx.kv.get("\\ud800")`,
      "kv/get",
      "Parameter key must not contain an unpaired surrogate",
    ],
    ["no value", `ctx.kv.set("a", undefined)`, "kv/set", "Missing required parameter: value"],
    ["a prefix that is none", `ctx.kv.list(5)`, "kv/list", "Parameter prefix must be a string when provided"],
  ])("refuses %s", async (_what, call, method, error) => {
    expect(await fresh(`${TEXT} return text(() => ${call})`)).toBe(
      `Bridge call ${method} failed: ${JSON.stringify({ error })}`,
    );
  });

  it("rejects for a value that is no JSON, and the plugin goes on", async () => {
    const body = `${TEXT} const a = {}; a.a = a;
      return [await text(() => ctx.kv.set("a", 1n)), await text(() => ctx.kv.set("a", a)), await ctx.kv.get("a")]`;
    expect(await fresh(body)).toEqual([
      expect.stringContaining("BigInt"),
      expect.stringContaining("circular"),
      null,
    ]);
  });
});

describe("ctx.storage", () => {
  const storage = { notes: { indexes: ["n"] } };

  it("does all that EmDash documents on a declared collection", async () => {
    const body = `
      const { notes } = ctx.storage;
      await notes.put("a", { n: 1 });
      await notes.putMany([{ id: "b", data: { n: 2 } }, { id: "__proto__", data: { n: 3 } }]);
      const many = await notes.getMany(["a", "__proto__", "none"]);
      const log = [await notes.get("a"), await notes.get("none"), await notes.exists("b"), await notes.exists("c")];
      log.push([...many].sort(), await notes.count(), await notes.count({ n: 2 }));
      log.push(await notes.query({ where: { n: 2 } }), await notes.query({ orderBy: { n: "desc" }, limit: 1 }));
      log.push(await notes.delete("a"), await notes.delete("a"), await notes.deleteMany(["b", "none"]), await notes.count());
      return log`;
    expect(await fresh(body, { storage })).toMatchObject([
      ...[{ n: 1 }, null, true, false],
      [
        ["__proto__", { n: 3 }],
        ["a", { n: 1 }],
      ],
      ...[3, 1],
      { items: [{ id: "b", data: { n: 2 } }], hasMore: false },
      { items: [{ id: "__proto__", data: { n: 3 } }], hasMore: true, cursor: expect.any(String) },
      ...[true, false, 1, 1],
    ]);
  });

  it.each(["other", "__kv", "constructor", "then"])(
    "refuses the collection %j, which is not declared",
    async (name) => {
      const body = `${TEXT} return Promise.all([text(() => ctx.storage[input].get("a")),
      text(() => ctx.storage[input].put("a", 1)), text(() => ctx.storage[input].query())])`;
      const runner = makeRunner({ db: site.db });
      const plugin = await loadPlugin(runner, routeOf(body), { storage });
      const error = expect.stringContaining(`{"error":"Storage collection not declared: ${name}"}`);
      expect(await ask(plugin, name)).toEqual([error, error, error]);
    },
  );

  it("is another plugin's not, though both call their collections and ids the same", async () => {
    const runner = makeRunner({ db: site.db });
    const code = `export default { routes: {
      put: ({ input }, ctx) => ctx.storage.notes.put("same", { from: input }),
      get: (_, ctx) => ctx.storage.notes.get("same"),
    } };`;
    const load = (id: string) => loadPlugin(runner, code, { id, storage });
    const [one, other] = [await load("one"), await load("other")];
    await ask(one, "one", "put");
    expect(await ask(other, {}, "get")).toBeNull();
    expect(await ask(one, {}, "get")).toEqual({ from: "one" });
  });
});
