/** Reads that a plugin makes at once are one query, and nobody can tell by the answers. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { callerOf } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

describe.each(databaseKinds())("reads at once on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let plugins = 0;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  function newPlugin() {
    plugins += 1;
    return callerOf(database.db, {
      id: `plugin-${plugins}`,
      storage: { notes: { indexes: [], uniqueIndexes: [] } },
    });
  }

  /** How many queries that makes. */
  async function queriesOf(run: () => Promise<unknown>): Promise<number> {
    const executed = vi.spyOn(database.db, "executeQuery");
    try {
      await run();
      return executed.mock.calls.length;
    } finally {
      executed.mockRestore();
    }
  }

  it.each([2, 3, 20, 64, 65, 200])("%i keys, of which some are not there", async (count) => {
    const call = newPlugin();
    const keys = Array.from({ length: count }, (_, at) => `key ${at}`);
    for (const key of keys.filter((_, at) => at % 3 > 0)) await call("kv/set", key, JSON.stringify(key));
    let values: unknown;
    const queries = await queriesOf(async () => {
      values = await Promise.all(keys.map((key) => call("kv/get", key)));
    });
    expect(values).toEqual(keys.map((key, at) => (at % 3 > 0 ? key : null)));
    expect(queries).toBe(Math.ceil(count / 64));
  });

  it("the same key many times, and keys that are only alike", async () => {
    const call = newPlugin();
    const keys = ["a", "A", "á", "a\u0301", "a ", " a", "a'--", "%", "_", "__proto__", "", "🙂"];
    for (const key of keys) await call("kv/set", key, JSON.stringify(key));
    const asked = [...keys, ...keys, ...keys.toReversed()];
    expect(await Promise.all(asked.map((key) => call("kv/get", key)))).toEqual(asked);
  });

  it("those of other plugins and collections are not theirs", async () => {
    const [one, other] = [newPlugin(), newPlugin()];
    await one("kv/set", "k", "1");
    await other("kv/set", "k", "2");
    await one("storage/put", "notes", "k", "3");
    const asked = [0, 1, 2].flatMap(() => [
      one("kv/get", "k"),
      other("kv/get", "k"),
      one("storage/get", "notes", "k"),
      other("storage/get", "notes", "k"),
    ]);
    expect(await Promise.all(asked)).toEqual([1, 2, 3, null, 1, 2, 3, null, 1, 2, 3, null]);
  });

  it("a long value is read by itself, so that the host does not hold many of them at once", async () => {
    const call = newPlugin();
    const values = [16_382, 16_383, 100, 1_000_000, 5, 2_000_000].map((length) => "ü".repeat(length));
    for (const [at, value] of values.entries()) await call("kv/set", `${at}`, JSON.stringify(value));
    let seen: unknown;
    const queries = await queriesOf(async () => {
      seen = await Promise.all(["none", ...values.keys()].map((at) => call("kv/get", `${at}`)));
    });
    expect(seen).toEqual([null, ...values]);
    // With its quotes the second is one character too long.
    expect(queries).toBe(1 + 3);
  });

  it("a key that the database can't take, or gives back otherwise, spoils no other one", async () => {
    const call = newPlugin();
    await call("kv/set", "a", "1");
    const odd = ["nul \0 inside", "half \ud83d", "half \udc00 too", "\ufeffa"];
    const alone: unknown[] = [];
    for (const key of odd) alone.push(await call("kv/get", key).catch((error: Error) => error.message));
    const asked = ["a", ...odd, "a"].map((key) => call("kv/get", key).catch((error: Error) => error.message));
    expect(await Promise.all(asked)).toEqual([1, ...alone, 1]);
  });
});

describe("reads and writes at once", () => {
  const [kind] = databaseKinds();
  let database: TemporaryDatabase;
  beforeAll(async () => {
    if (kind === undefined) throw new Error("there is no database");
    database = await kind[1]();
  });
  afterAll(() => database.close());

  it("happen in the order in which they were asked for, on a database that has one connection", async () => {
    const call = callerOf(database.db, {
      id: "order",
      storage: { notes: { indexes: [], uniqueIndexes: [] } },
    });
    await call("kv/set", "k", "0");
    await call("storage/put", "notes", "k", "0");
    const seen = await Promise.all([
      call("kv/get", "k"),
      call("kv/set", "k", "1"),
      call("kv/get", "k"),
      call("kv/get", "none"),
      call("kv/delete", "k"),
      call("kv/get", "k"),
      call("storage/get", "notes", "k"),
      call("storage/deleteMany", "notes", '["k"]'),
      call("storage/get", "notes", "k"),
      call("storage/putMany", "notes", '[{"id":"k","data":2}]'),
      call("storage/get", "notes", "k"),
    ]);
    expect(seen.map((value) => value ?? null)).toEqual([0, null, 1, null, true, null, 0, 1, null, null, 2]);
  });

  it("are told apart where a client drops a byte order mark, as libSQL's for remote databases does", async () => {
    const call = callerOf(database.db, { id: "marks" });
    await call("kv/set", "\ufeffa", "1");
    const { db } = database;
    const execute = db.executeQuery.bind(db);
    const client = vi.spyOn(db, "executeQuery").mockImplementation(async (query) => {
      const result = await execute(query);
      const rows = result.rows.map((row) => {
        const texts = Object.entries(row as Record<string, string>);
        return Object.fromEntries(
          texts.map(([name, text]) => [name, new TextDecoder().decode(Buffer.from(text))]),
        );
      });
      return { ...result, rows: rows as never };
    });
    try {
      const keys = ["\ufeffa", "a", "b"];
      expect(await Promise.all(keys.map((key) => call("kv/get", key)))).toEqual([1, null, null]);
    } finally {
      client.mockRestore();
    }
  });

  it("are made one by one where the database refuses them together", async () => {
    const call = callerOf(database.db, { id: "together" });
    await call("kv/set", "a", "1");
    const { db } = database;
    const execute = db.executeQuery.bind(db);
    const picky = vi.spyOn(db, "executeQuery").mockImplementation((query) => {
      if ("sql" in query && query.sql.includes(" in (")) throw new Error("too much at once");
      return execute(query);
    });
    try {
      expect(await Promise.all(["a", "b", "a"].map((key) => call("kv/get", key)))).toEqual([1, null, 1]);
    } finally {
      picky.mockRestore();
    }
  });

  it("fail each when the database does", async () => {
    const call = callerOf(database.db, { id: "failing" });
    const failing = vi.spyOn(database.db, "executeQuery").mockRejectedValue(new Error("the disk is full"));
    try {
      const outcomes = await Promise.allSettled(["a", "b", "c"].map((key) => call("kv/get", key)));
      expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      const written = await Promise.allSettled([call("kv/get", "a"), call("kv/set", "a", "1")]);
      expect(written.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    } finally {
      failing.mockRestore();
    }
    expect(await call("kv/get", "a")).toBeNull();
  });
});
