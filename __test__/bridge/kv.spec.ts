import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerOf, insertRow } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

describe.each(databaseKinds())("kv on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let plugins = 0;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  /** A plugin that no other test has seen. */
  function newPlugin(): { id: string; call: Caller } {
    plugins += 1;
    const id = `plugin-${plugins}`;
    return { id, call: callerOf(database.db, { id }) };
  }

  async function keysAfterSetting(keys: string[], prefix: string | null): Promise<string[]> {
    const { call } = newPlugin();
    for (const key of keys) await call("kv/set", key, "1");
    const entries = (await call("kv/list", prefix)) as { key: string }[];
    return entries.map(({ key }) => key);
  }

  it("gives back what was set, and null for what was not", async () => {
    const { call } = newPlugin();
    expect(await call("kv/set", "a", '{"n":[1,null,"ü"]}')).toBeUndefined();
    expect(await call("kv/get", "a")).toEqual({ n: [1, null, "ü"] });
    expect(await call("kv/get", "b")).toBeNull();
  });

  it("keeps the text that the plugin sent, because nobody parses it on the way", async () => {
    const { id, call } = newPlugin();
    await call("kv/set", "a", '{ "big": 12345678901234567890 }');
    const rows = await database.db
      .selectFrom("_plugin_storage")
      .selectAll()
      .where("plugin_id", "=", id)
      .execute();
    expect(rows).toMatchObject([{ collection: "__kv", id: "a", data: '{ "big": 12345678901234567890 }' }]);
  });

  it("replaces a value and its updated_at, and leaves created_at", async () => {
    const { id, call } = newPlugin();
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "a", data: "1" });
    await call("kv/set", "a", "2");
    const rows = await database.db
      .selectFrom("_plugin_storage")
      .selectAll()
      .where("plugin_id", "=", id)
      .execute();
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ data: "2", created_at: "2026-01-01T00:00:00.000Z" });
    expect(rows[0]?.updated_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(rows[0]?.updated_at).not.toBe("2026-01-01T00:00:00.000Z");
  });

  it("says whether there was something to delete", async () => {
    const { call } = newPlugin();
    await call("kv/set", "a", "null");
    expect(await call("kv/delete", "a")).toBe(true);
    expect(await call("kv/delete", "a")).toBe(false);
  });

  it("shows a plugin nothing of another's", async () => {
    const [one, other] = [newPlugin(), newPlugin()];
    await one.call("kv/set", "secret", "1");
    expect(await other.call("kv/get", "secret")).toBeNull();
    expect(await other.call("kv/list", null)).toEqual([]);
    expect(await other.call("kv/delete", "secret")).toBe(false);
  });

  it("tolerates a row that is not JSON, because the peer does", async () => {
    const { id, call } = newPlugin();
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "a", data: 'x},"y":' });
    expect(await call("kv/get", "a")).toBe('x},"y":');
    expect(await call("kv/list", null)).toEqual([{ key: "a", value: 'x},"y":' }]);
  });

  it.each([
    ["nothing lists all", null, ["B", "a", "b"], ["B", "a", "b"]],
    ["the empty prefix lists all", "", ["B", "a", "b"], ["B", "a", "b"]],
    ["_ and % are letters", "b_", ["b_1", "bx1", "b%1"], ["b_1"]],
    ["% is a letter", "50%", ["50%", "50% off", "50x"], ["50%", "50% off"]],
    ["a backslash is a letter", "a\\", ["a\\_", "a_", "a\\"], ["a\\", "a\\_"]],
    ["case counts", "ab", ["ab1", "AB1", "Ab1"], ["ab1"]],
    ["a prefix is found itself", "ab", ["a", "ab", "abc", "ac"], ["ab", "abc"]],
    ["language does not count", "a", ["a", "á", "ä1", "a-b", "aé"], ["a", "a-b", "aé"]],
    ["punctuation counts", "a-", ["a-b", "ab", "a b", "a-"], ["a-", "a-b"]],
    ["quotes are letters", "'\"", ["'\"1", "'1"], ["'\"1"]],
    [
      "the end of the alphabet",
      "\u{10ffff}",
      ["\u{10ffff}", "\u{10ffff}z", "z"],
      ["\u{10ffff}", "\u{10ffff}z"],
    ],
    [
      "a letter and the end",
      "a\u{10ffff}",
      ["a\u{10ffff}", "a\u{10ffff}1", "b"],
      ["a\u{10ffff}", "a\u{10ffff}1"],
    ],
    ["the letter before the surrogates", "\ud7ff", ["\ud7ff1", "\ue000", "😀"], ["\ud7ff1"]],
    ["an emoji", "😀", ["😀1", "😁", "\uffff"], ["😀1"]],
  ])("lists by a literal prefix: %s", async (_why, prefix, keys, expected) => {
    expect(await keysAfterSetting(keys, prefix)).toEqual(expected);
  });

  it("lists in the order of code points, because a language's order differs from server to server", async () => {
    const keys = ["b", "a", "B", "_", "é", "😀", "\uffee", "10", "9"];
    expect(await keysAfterSetting(keys, null)).toEqual(["10", "9", "B", "_", "a", "b", "é", "\uffee", "😀"]);
  });
});
