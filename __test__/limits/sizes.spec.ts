/** How large single things may be: each one's error, and that what is just within goes through. */
import { describe, expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";

const site = useDatabase();
useConsole();

const MIB = 1024 * 1024;

const manifest = { storage: { notes: { indexes: [] } } };

/** Runs the body in a plugin that has a database, and answers what a call threw. */
async function tried(body: string, input?: unknown): Promise<unknown> {
  const code = `try { ${body} } catch (error) { return error.message; } return "fine";`;
  return ask(await loadPlugin(makeRunner({ db: site.db }), routeOf(code), manifest), input);
}

function refused(method: string, message: string): string {
  return `Bridge call ${method} failed: ${JSON.stringify({ error: message })}`;
}

describe("a key or id that is written", () => {
  it.each([
    ["kv.set", `ctx.kv.set(input, 1)`, "kv/set", "key"],
    ["storage.put", `ctx.storage.notes.put(input, 1)`, "storage/put", "id"],
    [
      "storage.putMany",
      `ctx.storage.notes.putMany([{ id: input, data: 1 }])`,
      "storage/putMany",
      "items[].id",
    ],
  ])(
    "by %s may have 1024 bytes, because PostgreSQL's index takes no more than twice that",
    async (_name, call, method, parameter) => {
      expect(await tried(`await ${call}`, "é".repeat(512))).toBe("fine");
      expect(await tried(`await ${call}`, `${"é".repeat(512)}x`)).toBe(
        refused(method, `Parameter ${parameter} must be at most 1024 bytes long, not 1025`),
      );
    },
  );

  it("may be longer where it is only read or deleted: another runner may have stored it", async () => {
    const long = "x".repeat(100_000);
    expect(
      await tried(
        "const id = input; await ctx.kv.get(id); await ctx.kv.delete(id); await ctx.storage.notes.getMany([id]); await ctx.storage.notes.delete(id);",
        long,
      ),
    ).toBe("fine");
  });
});

describe("a value that is stored", () => {
  it.each([
    ["kv.set", `ctx.kv.set("k", "x".repeat(input))`, "kv/set", "value"],
    ["storage.put", `ctx.storage.notes.put("k", "x".repeat(input))`, "storage/put", "data"],
    [
      "storage.putMany",
      `ctx.storage.notes.putMany([{ id: "k", data: "x".repeat(input) }])`,
      "storage/putMany",
      "items[].data",
    ],
  ])(
    "by %s may take 8 MiB as JSON, because a list of some must fit into the host",
    async (_name, call, method, parameter) => {
      // With its quotes.
      expect(await tried(`await ${call}`, 8 * MIB - 2)).toBe("fine");
      expect(await tried(`await ${call}`, 8 * MIB - 1)).toBe(
        refused(method, `Parameter ${parameter} must take at most 8 MiB as JSON`),
      );
    },
  );
});

describe("what is nested", () => {
  const NESTED = `const nested = (depth) => JSON.parse("[".repeat(depth) + "]".repeat(depth));`;
  const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));

  it("in the arguments of a call may have 1000 levels, because a query of the collection would fail past that", async () => {
    const store = `${NESTED} await ctx.storage.notes.put("k", nested(input)); await ctx.storage.notes.query({ where: {} });`;
    // The arguments are an object.
    expect(await tried(store, 999)).toBe("fine");
    expect(await tried(store, 1000)).toBe(
      refused("storage/put", "The arguments of a call may be nested at most 1000 levels deep"),
    );
  });

  it("in an answer or an event may have as many, and a plugin that is asked or says more goes on", async () => {
    const plugin = await loadPlugin(
      makeRunner(),
      `${NESTED} export default {
         hooks: { h: (event) => event },
         routes: { run: ({ input }) => nested(input), echo: ({ input }) => input },
       };`,
    );
    expect(await ask(plugin, 1000)).toEqual(nested(1000));
    await expect(ask(plugin, 1001)).rejects.toThrow("its answer is nested more than 1000 levels deep");
    const why = ": what it is called with is nested more than 1000 levels deep";
    expect(await plugin.invokeHook("h", nested(1000))).toEqual(nested(1000));
    await expect(plugin.invokeHook("h", nested(1001))).rejects.toThrow(why);
    await expect(ask(plugin, nested(1001), "echo")).rejects.toThrow(why);
    expect(await ask(plugin, nested(1000), "echo")).toEqual(nested(1000));
  });
});

describe("values", () => {
  /** So many, in JSON text of a plugin's own making. */
  const MAKE = `const many = (count, kind) => JSON.parse("[" + (kind + ",").repeat(count - 1) + kind + "]");`;
  const KINDS = [
    ["numbers", "0", 499_000],
    ["texts", `""`, 499_000],
    // A bracket counts as well as the comma behind it: what is allocated for an empty one is most of what it takes.
    ["empty lists", "[]", 249_000],
    ["empty objects", "{}", 249_000],
  ] as const;

  it.each(KINDS)("in an answer may be 500,000: %s", async (_what, kind, few) => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { cpuMs: 20_000 } }),
      routeOf(`${MAKE} return many(input.count, input.kind);`),
    );
    expect(await ask(plugin, { count: few, kind })).toHaveLength(few);
    await expect(ask(plugin, { count: 501_000, kind })).rejects.toThrow(
      "its answer holds more than 500000 values",
    );
    expect(await ask(plugin, { count: 1, kind: "1" })).toEqual([1]);
  });

  it.each(KINDS)("in the arguments of a call may be as many: %s", async (_what, kind, few) => {
    const code = `${MAKE} const { count, kind } = input; return ctx.kv.set("k", many(count, kind)).then(() => "kept", ({ message }) => message);`;
    const runner = makeRunner({ db: site.db, limits: { cpuMs: 20_000 } });
    const plugin = await loadPlugin(runner, routeOf(code));
    expect(await ask(plugin, { count: few, kind })).toBe("kept");
    expect(await ask(plugin, { count: 501_000, kind })).toBe(
      refused("kv/set", "The arguments of a call may hold at most 500000 values"),
    );
  });
});

describe("a plugin's code", () => {
  it("may take 10 MiB, and what is larger is refused when it is loaded", async () => {
    const plugin = routeOf("return 'fine'");
    const padded = (bytes: number) => plugin + " ".repeat(bytes - plugin.length);
    const runner = makeRunner();
    expect(await ask(await loadPlugin(runner, padded(10 * MIB), { id: "large" }))).toBe("fine");
    // In bytes, however few letters they are.
    for (const letter of ["é", "語", "🦀"]) {
      const comment = `//${letter.repeat(Math.ceil((10 * MIB) / Buffer.byteLength(letter)))}`;
      await expect(loadPlugin(runner, `${plugin}${comment}`, { id: letter })).rejects.toThrow(
        "plugin code must take at most 10 MiB, not ",
      );
    }
    await expect(loadPlugin(runner, padded(10 * MIB + 1), { id: "larger" })).rejects.toThrow(
      new TypeError("Plugin can't be loaded: plugin code must take at most 10 MiB, not 10485761 bytes"),
    );
  });
});
