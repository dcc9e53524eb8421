import { OptionsRepository } from "emdash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerOf, insertRow } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

describe.each(databaseKinds())("settings on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let options: OptionsRepository;
  let plugins = 0;
  beforeAll(async () => {
    database = await open();
    options = new OptionsRepository(database.db);
  });
  afterAll(() => database.close());

  function newPlugin(): { id: string; call: Caller } {
    plugins += 1;
    const id = `plugin_${plugins}`;
    return { id, call: callerOf(database.db, { id }) };
  }

  it("are what the admin's form has written", async () => {
    const { id, call } = newPlugin();
    await options.set(`plugin:${id}:settings:limit`, { n: 5 });
    expect(await call("kv/get", "settings:limit")).toEqual({ n: 5 });
  });

  it("are written where the admin's form reads, and replaced there", async () => {
    const { id, call } = newPlugin();
    await call("kv/set", "settings:limit", "1");
    await call("kv/set", "settings:limit", '{"n":"é\\u0000"}');
    expect(await options.get(`plugin:${id}:settings:limit`)).toEqual({ n: "é\u0000" });
    expect(await call("kv/get", "settings:limit")).toEqual({ n: "é\u0000" });
  });

  it("of before count until they are replaced, and do not come back", async () => {
    const { id, call } = newPlugin();
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "settings:a", data: '"old"' });
    expect(await call("kv/get", "settings:a")).toBe("old");
    await call("kv/set", "settings:a", '"new"');
    expect(await call("kv/get", "settings:a")).toBe("new");
    await options.delete(`plugin:${id}:settings:a`);
    expect(await call("kv/get", "settings:a")).toBeNull();
  });

  it("tell a stored null from none", async () => {
    const { id, call } = newPlugin();
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "settings:a", data: '"old"' });
    await options.set(`plugin:${id}:settings:a`, null);
    expect(await call("kv/get", "settings:a")).toBeNull();
  });

  it("are deleted from both places", async () => {
    const { id, call } = newPlugin();
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "settings:a", data: "1" });
    await options.set(`plugin:${id}:settings:a`, 2);
    expect(await call("kv/delete", "settings:a")).toBe(true);
    expect(await call("kv/get", "settings:a")).toBeNull();
    expect(await call("kv/delete", "settings:a")).toBe(false);
  });

  it("are listed with the other keys, once, in the order of code points", async () => {
    const { id, call } = newPlugin();
    await call("kv/set", "a", "1");
    await call("kv/set", "t", "2");
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "settings:b", data: "3" });
    await insertRow(database.db, { plugin: id, collection: "__kv", id: "settings:_", data: "4" });
    await options.set(`plugin:${id}:settings:b`, 5);
    await options.set(`plugin:${id}:settings:c`, 6);
    await options.set(`plugin:${id}:other`, 7);
    const all = [
      { key: "a", value: 1 },
      { key: "settings:_", value: 4 },
      { key: "settings:b", value: 5 },
      { key: "settings:c", value: 6 },
      { key: "t", value: 2 },
    ];
    expect(await call("kv/list", null)).toEqual(all);
    expect(await call("kv/list", "se")).toEqual(all.slice(1, 4));
    expect(await call("kv/list", "settings:")).toEqual(all.slice(1, 4));
    expect(await call("kv/list", "settings:c")).toEqual(all.slice(3, 4));
    expect(await call("kv/list", "settings:%")).toEqual([]);
    expect(await call("kv/list", "t")).toEqual(all.slice(4));
  });

  it("show a plugin nothing of another's, whatever the ids and keys", async () => {
    const { id, call } = newPlugin();
    await call("kv/set", "settings:settings:x", "1");
    const lookalike = callerOf(database.db, { id: `${id}:settings` });
    expect(await lookalike("kv/get", "settings:x")).toBeNull();
    expect(await lookalike("kv/list", null)).toEqual([]);
    await lookalike("kv/set", "settings:x", "2");
    expect(await call("kv/get", "settings:settings:x")).toBe(1);
    const wildcard = callerOf(database.db, { id: id.replace("_", "x") });
    expect(await wildcard("kv/list", null)).toEqual([]);
  });
});
