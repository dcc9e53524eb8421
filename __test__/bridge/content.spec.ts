import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isMissingTable, publicMessage } from "../../host/bridge/database-errors.js";
import { type Caller, callerOf } from "../support/bridge.js";
import {
  createCollection,
  databaseKinds,
  insertContent,
  type TemporaryDatabase,
} from "../support/database.js";

const times = { created_at: "2026-01-01T00:00:00.000Z", updated_at: "2026-01-02T00:00:00.000Z" };

describe.each(databaseKinds())("content on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let call: Caller;
  beforeAll(async () => {
    database = await open();
    call = callerOf(database.db, { id: "reader" });
    await createCollection(database.db, "posts", {
      title: "string",
      body: "portableText",
      rank: "integer",
      note: "text",
    });
    await insertContent(database.db, "posts", {
      id: "01A",
      slug: "first",
      status: "published",
      author_id: "somebody",
      primary_byline_id: "byline",
      translation_group: "01A",
      locale: "de",
      title: "First",
      body: '[{"_type":"block"}]',
      rank: 0,
      note: "[draft] {",
      ...times,
    });
  });
  afterAll(() => database.close());

  it("gives the fields, without EmDash's own columns", async () => {
    expect(await call("content/get", "posts", "01A")).toEqual({
      id: "01A",
      type: "posts",
      data: { title: "First", body: [{ _type: "block" }], rank: 0, note: "[draft] {" },
      createdAt: times.created_at,
      updatedAt: times.updated_at,
      locale: "de",
    });
  });

  it("leaves out fields that are null", async () => {
    await createCollection(database.db, "sparse", { title: "string", body: "json" });
    await insertContent(database.db, "sparse", { id: "01A" });
    expect(await call("content/get", "sparse", "01A")).toMatchObject({ data: {}, locale: "en" });
  });

  it("does not see what was deleted, or never was", async () => {
    await createCollection(database.db, "trashed", { title: "string" });
    await insertContent(database.db, "trashed", { id: "01A", deleted_at: times.updated_at });
    expect(await call("content/get", "trashed", "01A")).toBeNull();
    expect(await call("content/get", "trashed", "01B")).toBeNull();
    expect(await call("content/list", "trashed", null, null)).toEqual({ items: [], hasMore: false });
  });

  it("takes a collection that nobody created for an empty one", async () => {
    expect(await call("content/get", "unknown", "01A")).toBeNull();
    expect(await call("content/list", "unknown", "10", "x")).toEqual({ items: [], hasMore: false });
  });

  it("lists the newest id first, page by page", async () => {
    await createCollection(database.db, "many", { title: "string" });
    for (const id of ["01B", "01A", "01D", "01C", "01E"]) await insertContent(database.db, "many", { id });
    const first = (await call("content/list", "many", "2", null)) as { cursor: string };
    expect(first).toMatchObject({ items: [{ id: "01E" }, { id: "01D" }], cursor: "01D", hasMore: true });
    expect(await call("content/list", "many", "3", first.cursor)).toEqual({
      items: ["01C", "01B", "01A"].map((id) => expect.objectContaining({ id, type: "many" })),
      hasMore: false,
    });
  });

  it("lists fifty when no limit is given", async () => {
    await createCollection(database.db, "long", { title: "string" });
    for (let at = 10; at < 61; at += 1) await insertContent(database.db, "long", { id: `01${at}` });
    const page = (await call("content/list", "long", null, null)) as { items: unknown[]; cursor: string };
    expect(page.items).toHaveLength(50);
    expect(page).toMatchObject({ cursor: "0111", hasMore: true });
  });

  it("does not take another failure for an empty collection, and says no SQL", async () => {
    await database.db.schema.createTable("ec_broken").addColumn("id", "text").execute();
    const error = await call("content/list", "broken", null, null).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(isMissingTable(error)).toBe(false);
    expect(publicMessage(error, "content/list")).toBe("Database error in content/list");
  });
});
