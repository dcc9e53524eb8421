/** Updates by EmDash's own code, where it has it: stand-ins of EmDash's shapes, older and newer than the one we test with. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmDash, type EmDashExports, type UpdateDraftAware } from "../../host/bridge/emdash.js";
import { publicMessage } from "../../host/bridge/index.js";
import { type Caller, callerOf } from "../support/bridge.js";
import {
  createCollection,
  insertContent,
  type TemporaryDatabase,
  temporaryDatabase,
} from "../support/database.js";

const CACHE = Symbol.for("emdash:object-cache:backend");

let database: TemporaryDatabase;
beforeAll(async () => {
  database = await temporaryDatabase();
  for (const slug of ["plain", "revised"]) {
    await createCollection(database.db, slug, { title: "string" });
    await insertContent(database.db, slug, { id: "01A", title: "live" });
    await database.db
      .updateTable("_emdash_collections")
      .set({ supports: slug === "revised" ? '["drafts","revisions"]' : '["drafts"]' })
      .where("slug", "=", slug)
      .execute();
  }
});
afterAll(() => database.close());

/** An EmDash of this version, and what was asked of it. */
function emdashWith(version: string | null, updateDraftAware?: UpdateDraftAware) {
  const asked: unknown[] = [];
  class ContentRepository {}
  if (updateDraftAware) Object.assign(ContentRepository.prototype, { updateDraftAware });
  const exports: EmDashExports = {
    ContentRepository,
    invalidateCollectionCache: (collection) => void asked.push(collection),
  };
  let loads = 0;
  const emdash = new EmDash(version, async () => {
    loads += 1;
    return exports;
  });
  const call: Caller = callerOf(database.db, { id: "writer" }, { emdash });
  return { call, asked, loads: () => loads };
}

const staged: UpdateDraftAware = async (collection, id, { data, status, slug }) => ({
  id,
  type: collection,
  data: { ...data, staged: [status, slug] },
  createdAt: "c",
  updatedAt: "u",
  locale: "de",
});

describe("an update", () => {
  it("of a collection that keeps revisions is EmDash's, who gets fields, status and slug apart", async () => {
    const { call } = emdashWith("0.34.0", staged);
    const data = '{"title":"new","status":"published","slug":"s","author_id":"a","version":9}';
    expect(await call("content/update", "revised", "01A", data)).toEqual({
      id: "01A",
      type: "revised",
      data: { title: "new", staged: ["published", "s"] },
      createdAt: "c",
      updatedAt: "u",
      locale: "de",
    });
    expect(await call("content/get", "revised", "01A")).toMatchObject({ data: { title: "live" } });
  });

  it.each([
    ["keeps no revisions", "plain", () => emdashWith("0.34.0", staged)],
    ["keeps revisions, with an EmDash that stages none", "revised", () => emdashWith("0.34.0")],
    [
      "keeps revisions, with an EmDash of unknown version that stages none",
      "revised",
      () => emdashWith(null),
    ],
  ])("of a collection that %s goes to the row", async (_what, collection, make) => {
    const { call } = make();
    await insertContent(database.db, collection, { id: `${Math.random()}`, title: "x" });
    await call("content/update", collection, "01A", '{"title":"direct"}');
    expect(await call("content/get", collection, "01A")).toMatchObject({ data: { title: "direct" } });
    await call("content/update", collection, "01A", '{"title":"live"}');
  });

  it("loads no EmDash that is too old to stage one", async () => {
    const { call, loads } = emdashWith("0.33.9", staged);
    await call("content/update", "revised", "01A", '{"title":"live"}');
    expect(loads()).toBe(0);
  });

  it("takes a pre-release for what it will be", async () => {
    const { call } = emdashWith("0.34.0-beta.1", staged);
    expect(await call("content/update", "revised", "01A", "{}")).toMatchObject({ locale: "de" });
  });

  it.each([
    ["Content not found", "Error", "Content not found or deleted: revised/gone"],
    ["somebody else wrote", "ContentMutationConflictError", "somebody else wrote"],
    ["select secret", "Error", "Database error in content/update"],
  ])("that EmDash refuses with %j (%s)", async (message, name, words) => {
    const { call } = emdashWith("0.34.0", () => Promise.reject(Object.assign(new Error(message), { name })));
    const error = await call("content/update", "revised", "gone", "{}").catch((thrown) => thrown);
    expect(publicMessage(error, "content/update")).toBe(words);
  });

  it("still knows the fields of the collection", async () => {
    const { call } = emdashWith("0.34.0", staged);
    await expect(call("content/update", "revised", "01A", '{"nope":1}')).rejects.toThrow(
      "Unknown field 'nope' in collection 'revised'",
    );
  });
});

describe("EmDash's object cache", () => {
  async function cacheAfterWrite(holder: unknown): Promise<{ asked: unknown[]; loads: number }> {
    const { call, asked, loads } = emdashWith("0.32.0");
    const shared = globalThis as Record<symbol, unknown>;
    const before = shared[CACHE];
    shared[CACHE] = holder;
    try {
      await call("content/createMany", "plain", "[{},{}]");
    } finally {
      shared[CACHE] = before;
    }
    return { asked, loads: loads() };
  }

  it("is told once of what changed", async () => {
    expect(await cacheAfterWrite({ initialized: true, backend: {} })).toEqual({ asked: ["plain"], loads: 1 });
  });

  it.each([
    ["the site has none", { initialized: true, backend: null }],
    ["the site has not set one up yet, which our copy must not do", { initialized: false, backend: null }],
    ["EmDash is not there at all", undefined],
  ])("is left alone when %s", async (_what, holder) => {
    expect(await cacheAfterWrite(holder)).toEqual({ asked: [], loads: 0 });
  });
});

describe("the installed EmDash", () => {
  it("is 0.32, which stages no drafts and resolves no locale", async () => {
    const installed = EmDash.installed();
    expect(await installed.updateDraftAware(database.db)).toBeUndefined();
    expect(await installed.resolveContentCreateLocale()).toBeUndefined();
    expect(await installed.invalidateCollectionCache()).toBeTypeOf("function");
  });
});
