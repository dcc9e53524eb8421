/** Lists that are longer than a page, and those that are longer than the host could hold. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callerOf, insertRow } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

const PAGE = 1000;
const LONG = "ü".repeat(20_000);
const TOO_MUCH = "An answer may take at most 64 MiB: ask for less at a time";

describe.each(databaseKinds())("lists on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let plugins = 0;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  function newPlugin() {
    plugins += 1;
    const id = `plugin-${plugins}`;
    const notes = { indexes: ["n"], uniqueIndexes: [] };
    return { id, call: callerOf(database.db, { id, storage: { notes } }) };
  }

  async function fill(table: "_plugin_storage" | "options", rows: Record<string, string>[]): Promise<void> {
    for (let at = 0; at < rows.length; at += 500)
      await database.db
        .insertInto(table)
        .values(rows.slice(at, at + 500) as never)
        .execute();
  }

  const rowOf = (plugin: string, collection: string, id: string, value: unknown, at: number) => ({
    plugin_id: plugin,
    collection,
    id,
    data: JSON.stringify(value),
    created_at: new Date(at).toISOString(),
    updated_at: new Date(at).toISOString(),
  });

  const LETTERS = [..."aAzZäÄ_-ß🙂"];
  /** Sorted otherwise by a language, and with a long value at the ends of a page. */
  const KEYS = Array.from({ length: 2 * PAGE + 7 }, (_, at) => `${LETTERS[at % LETTERS.length]}${at}`);
  const valueAt = (at: number) => (at % 97 === 0 ? LONG : at);

  const byCodePoint = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));

  it("kv.list gives all of many pages, in order, the long ones as well", async () => {
    const { id, call } = newPlugin();
    await fill(
      "_plugin_storage",
      KEYS.map((key, at) => rowOf(id, "__kv", key, valueAt(at), at)),
    );
    const listed = (await call("kv/list", null)) as { key: string; value: unknown }[];
    expect(listed.map(({ key }) => key)).toEqual(KEYS.toSorted(byCodePoint));
    const values = new Map(listed.map(({ key, value }) => [key, value]));
    expect(KEYS.every((key, at) => values.get(key) === valueAt(at))).toBe(true);
    const some = (await call("kv/list", "a")) as { key: string }[];
    expect(some.map(({ key }) => key)).toEqual(
      KEYS.filter((key) => key.startsWith("a")).toSorted(byCodePoint),
    );
  });

  it("so do settings, beside the keys", async () => {
    const { id, call } = newPlugin();
    await fill(
      "options",
      KEYS.map((key, at) => ({
        name: `plugin:${id}:settings:${key}`,
        value: JSON.stringify(valueAt(at)),
      })),
    );
    await call("kv/set", "a", '"a key"');
    const listed = (await call("kv/list", null)) as { key: string; value: unknown }[];
    expect(listed.map(({ key }) => key)).toEqual(
      ["a", ...KEYS.map((key) => `settings:${key}`)].toSorted(byCodePoint),
    );
    expect(listed.find(({ key }) => key === `settings:${KEYS[97]}`)?.value).toBe(LONG);
  });

  it("storage.getMany and storage.query give long documents among short ones", async () => {
    const { id, call } = newPlugin();
    const ids = Array.from({ length: 60 }, (_, at) => `d${at}`);
    const document = (at: number) => ({ n: at, text: at % 7 === 0 ? LONG : "short" });
    await fill(
      "_plugin_storage",
      ids.map((key, at) => rowOf(id, "notes", key, document(at), at)),
    );
    const many = (await call("storage/getMany", "notes", JSON.stringify([...ids, "none"]))) as [
      string,
      unknown,
    ][];
    expect(new Map(many)).toEqual(new Map(ids.map((key, at) => [key, document(at)])));
    const first = (await call("storage/query", "notes", null, '{"n":"asc"}', "50", null)) as {
      items: { id: string; data: unknown }[];
      hasMore: boolean;
    };
    expect(first.hasMore).toBe(true);
    expect(first.items).toEqual(ids.slice(0, 50).map((key, at) => ({ id: key, data: document(at) })));
  });

  it("what would take more than an answer may is refused, however it is asked for, and what is less is not", async () => {
    const { id, call } = newPlugin();
    const data = JSON.stringify("x".repeat(8 * 1024 * 1024 - 2));
    const ids = Array.from({ length: 8 }, (_, at) => `${at}`);
    for (const collection of ["__kv", "notes"])
      for (const key of ids) await insertRow(database.db, { plugin: id, collection, id: key, data });
    await expect(call("kv/list", null)).rejects.toThrow(TOO_MUCH);
    await expect(call("storage/getMany", "notes", JSON.stringify(ids))).rejects.toThrow(TOO_MUCH);
    await expect(call("storage/query", "notes", null, null, "50", null)).rejects.toThrow(TOO_MUCH);
    expect(await call("kv/list", "1")).toHaveLength(1);
    const halves = newPlugin();
    for (const key of ids) await halves.call("kv/set", Number(key) < 4 ? key : `settings:${key}`, data);
    expect(await halves.call("kv/list", "settings:")).toHaveLength(4);
    await expect(halves.call("kv/list", null)).rejects.toThrow(TOO_MUCH);
    expect(await call("storage/getMany", "notes", '["1","2"]')).toHaveLength(2);
    expect(await call("storage/query", "notes", null, null, "3", null)).toMatchObject({ hasMore: true });
  });
});
