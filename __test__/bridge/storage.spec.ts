import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { publicMessage } from "../../host/bridge/database-errors.js";
import { type Caller, callerOf, insertRow } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

const storage = {
  notes: { indexes: ["rank", ["kind", "rank"]], uniqueIndexes: ["slug"] },
  others: noIndexes(),
};

function noIndexes() {
  return { indexes: [], uniqueIndexes: [] };
}

describe.each(databaseKinds())("storage on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let plugins = 0;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  function newPlugin(): { id: string; call: Caller } {
    plugins += 1;
    const id = `plugin-${plugins}`;
    return { id, call: callerOf(database.db, { id, storage }) };
  }

  async function withRanks(ranks: number[]): Promise<Caller> {
    const { call } = newPlugin();
    const items = ranks.map((rank) => ({
      id: `n${rank}`,
      data: { rank, kind: rank % 2 ? "odd" : "even", slug: `s${rank}` },
    }));
    await call("storage/putMany", "notes", JSON.stringify(items));
    return call;
  }

  it("gives back a document, and null for one that is not there", async () => {
    const { call } = newPlugin();
    expect(await call("storage/put", "notes", "a", '{"rank":1}')).toBeUndefined();
    expect(await call("storage/get", "notes", "a")).toEqual({ rank: 1 });
    expect(await call("storage/get", "notes", "b")).toBeNull();
    expect(await call("storage/get", "others", "a")).toBeNull();
  });

  it("tells a stored null from nothing", async () => {
    const { call } = newPlugin();
    await call("storage/put", "notes", "a", "null");
    expect(await call("storage/exists", "notes", "a")).toBe(true);
    expect(await call("storage/exists", "notes", "b")).toBe(false);
  });

  it("says whether there was something to delete", async () => {
    const { call } = newPlugin();
    await call("storage/put", "notes", "a", "1");
    expect(await call("storage/delete", "notes", "a")).toBe(true);
    expect(await call("storage/delete", "notes", "a")).toBe(false);
  });

  it("gives many as pairs, without those that are not there", async () => {
    const { call } = newPlugin();
    await call("storage/put", "notes", "__proto__", '{"polluted":true}');
    await call("storage/put", "notes", "a", "null");
    const pairs = (await call("storage/getMany", "notes", '["a","__proto__","gone"]')) as [string, unknown][];
    expect(new Map(pairs)).toEqual(
      new Map<string, unknown>([
        ["__proto__", { polluted: true }],
        ["a", null],
      ]),
    );
    expect(await call("storage/getMany", "notes", "[]")).toEqual([]);
  });

  it("puts and deletes many, more than fit one statement, and counts the deleted", async () => {
    const { call } = newPlugin();
    const ids = Array.from({ length: 2500 }, (_, at) => `n${at}`);
    await call("storage/putMany", "notes", JSON.stringify(ids.map((id) => ({ id, data: { id } }))));
    expect(await call("storage/count", "notes", null)).toBe(2500);
    expect(await call("storage/getMany", "notes", JSON.stringify(ids))).toHaveLength(2500);
    expect(await call("storage/deleteMany", "notes", JSON.stringify(["gone", ...ids]))).toBe(2500);
    expect(await call("storage/putMany", "notes", "[]")).toBeUndefined();
    expect(await call("storage/deleteMany", "notes", "[]")).toBe(0);
  });

  it("puts and deletes nothing of many when the caller's time runs out within them", async () => {
    const { id, call } = newPlugin();
    const ids = Array.from({ length: 2500 }, (_, at) => `n${at}`);
    const items = JSON.stringify(ids.map((id) => ({ id, data: 1 })));
    const late = () => {
      let asked = 0;
      const mayWrite = () => {
        asked += 1;
        return asked < 2;
      };
      return callerOf(database.db, { id, storage }, {}, mayWrite);
    };
    await expect(late()("storage/putMany", "notes", items)).rejects.toThrow("is over");
    expect(await call("storage/count", "notes", null)).toBe(0);
    await call("storage/putMany", "notes", items);
    await expect(late()("storage/deleteMany", "notes", JSON.stringify(ids))).rejects.toThrow("is over");
    expect(await call("storage/count", "notes", null)).toBe(2500);
  });

  it("keeps the later of two documents with one id", async () => {
    const { call } = newPlugin();
    await call("storage/putMany", "notes", '[{"id":"a","data":1},{"id":"a","data":2}]');
    expect(await call("storage/get", "notes", "a")).toBe(2);
  });

  it.each([10, 2500])("puts all of %i documents or none", async (size) => {
    const { id, call } = newPlugin();
    const items: { id: string; data?: number }[] = Array.from({ length: size }, (_, at) => ({
      id: `n${at}`,
      data: at,
    }));
    items.push({ id: "without data" });
    await expect(call("storage/putMany", "notes", JSON.stringify(items))).rejects.toThrow();
    const rows = await database.db
      .selectFrom("_plugin_storage")
      .select("id")
      .where("plugin_id", "=", id)
      .execute();
    expect(rows).toEqual([]);
  });

  it("tolerates a document that is not JSON", async () => {
    const { id, call } = newPlugin();
    await insertRow(database.db, { plugin: id, collection: "notes", id: "a", data: "no json" });
    expect(await call("storage/get", "notes", "a")).toBe("no json");
    expect(await call("storage/getMany", "notes", '["a"]')).toEqual([["a", "no json"]]);
  });

  it("queries by indexes and unique indexes", async () => {
    const call = await withRanks([1, 2, 3, 10]);
    const found = await call("storage/query", "notes", '{"rank":{"gte":2}}', '{"rank":"desc"}', null, null);
    expect(found).toEqual({
      items: [10, 3, 2].map((rank) => expect.objectContaining({ id: `n${rank}` })),
      hasMore: false,
    });
    expect(await call("storage/query", "notes", '{"slug":"s3"}', null, null, null)).toMatchObject({
      items: [{ id: "n3", data: { rank: 3, kind: "odd", slug: "s3" } }],
    });
    expect(await call("storage/count", "notes", '{"kind":"odd"}')).toBe(2);
    expect(await call("storage/count", "notes", null)).toBe(4);
  });

  it("pages by limit and cursor to the end", async () => {
    const call = await withRanks([1, 2, 3, 4, 5]);
    const seen: string[] = [];
    let cursor: string | null = null;
    let more = true;
    while (more) {
      const page = (await call("storage/query", "notes", null, null, "2", cursor)) as Page;
      seen.push(...page.items.map(({ id }) => id));
      ({ hasMore: more, cursor = null } = page);
    }
    expect(seen).toEqual(["n1", "n2", "n3", "n4", "n5"]);
  });

  it("lets two documents share a unique index's value, because EmDash does", async () => {
    const { call } = newPlugin();
    await call("storage/put", "notes", "a", '{"slug":"same"}');
    await call("storage/put", "notes", "b", '{"slug":"same"}');
    expect(await call("storage/count", "notes", '{"slug":"same"}')).toBe(2);
  });

  it.each([
    [
      "a field without an index",
      ['{"color":"red"}', null, null, null],
      "Cannot query on non-indexed field 'color'.",
    ],
    [
      "an order without an index",
      [null, '{"color":"asc"}', null, null],
      "Cannot order by non-indexed field 'color'.",
    ],
    ["a cursor of somebody's making", [null, null, null, "made up"], "Invalid pagination cursor: made up"],
  ])("refuses %s in EmDash's own words", async (_what, args, words) => {
    const { call } = newPlugin();
    const error = await call("storage/query", "notes", ...args).catch((thrown: unknown) => thrown);
    expect(publicMessage(error, "storage/query")).toBe(words);
  });
});

interface Page {
  items: { id: string }[];
  hasMore: boolean;
  cursor?: string;
}
