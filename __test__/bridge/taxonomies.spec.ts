import { CompiledQuery } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerOf } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

describe.each(databaseKinds())("taxonomies on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let call: Caller;
  beforeAll(async () => {
    database = await open();
    call = callerOf(database.db, { id: "reader" });
    await database.db.deleteFrom("_emdash_taxonomy_defs").execute();
    await database.db
      .insertInto("_emdash_taxonomy_defs")
      .values([definition("d1", "topic", "en", '["posts",7]'), definition("d2", "mood", "de", "no json")])
      .execute();
    await database.db
      .insertInto("taxonomies")
      .values([
        term("01C", "Beta", "en", "g1"),
        term("01B", "Alpha", "en", "g2"),
        term("01A", "Alpha", "en", "g3", '{"color":"red"}'),
        term("01D", "Beta auf Deutsch", "de", "g1", "[1]"),
        { ...term("01E", "Fröhlich", "de", "g4"), name: "mood", parent_id: "01D" },
      ])
      .execute();
    const assign = (taxonomy_id: string) => ({ collection: "posts", entry_id: "e1", taxonomy_id });
    await database.db
      .insertInto("content_taxonomies")
      .values([assign("g1"), assign("g4"), { ...assign("g2"), collection: "pages" }])
      .execute();
  });
  afterAll(() => database.close());

  async function labels(answer: Promise<unknown>): Promise<string[]> {
    return ((await answer) as { label: string }[]).map(({ label }) => label);
  }

  it("gives definitions by name", async () => {
    expect(await call("taxonomy/list", null)).toEqual([
      {
        name: "mood",
        label: "mood",
        labelSingular: null,
        hierarchical: false,
        collections: [],
        locale: "de",
      },
      expect.objectContaining({ name: "topic", collections: ["posts"], locale: "en" }),
    ]);
    expect(await call("taxonomy/list", "en")).toMatchObject([{ name: "topic" }]);
  });

  it("gives terms by label, then id", async () => {
    const terms = (await call("taxonomy/terms", "topic", "en")) as { id: string }[];
    expect(terms.map(({ id }) => id)).toEqual(["01A", "01B", "01C"]);
    expect(terms[0]).toEqual({
      id: "01A",
      taxonomy: "topic",
      slug: "01A",
      label: "Alpha",
      parentId: null,
      data: { color: "red" },
      locale: "en",
      translationGroup: "g3",
    });
    expect(await call("taxonomy/terms", "nothing", null)).toEqual([]);
  });

  it("gives an entry's terms in every locale, or in one", async () => {
    expect(await labels(call("taxonomy/entryTerms", "posts", "e1", null, null))).toEqual([
      "Fröhlich",
      "Beta auf Deutsch",
      "Beta",
    ]);
    expect(await labels(call("taxonomy/entryTerms", "posts", "e1", "topic", "de"))).toEqual([
      "Beta auf Deutsch",
    ]);
    expect(await labels(call("taxonomy/entryTerms", "posts", "e2", null, null))).toEqual([]);
  });

  it("takes data that is no object for none", async () => {
    expect(await call("taxonomy/entryTerms", "posts", "e1", "topic", "de")).toMatchObject([{ data: null }]);
  });

  it("follows the editor's order where EmDash keeps one", async () => {
    const newer = await open();
    try {
      await newer.db.executeQuery(CompiledQuery.raw("alter table taxonomies add column sort_order integer"));
      const row = (id: string, sort_order: number) => ({ ...term(id, id, "en", id), sort_order });
      await newer.db
        .insertInto("taxonomies")
        .values([row("01A", 3), row("01B", 1), row("01C", 2)])
        .execute();
      await newer.db
        .insertInto("content_taxonomies")
        .values(["01A", "01B"].map((taxonomy_id) => ({ collection: "posts", entry_id: "e", taxonomy_id })))
        .execute();
      const reader = callerOf(newer.db, { id: "reader" });
      expect(await labels(reader("taxonomy/terms", "topic", null))).toEqual(["01B", "01C", "01A"]);
      expect(await labels(reader("taxonomy/entryTerms", "posts", "e", null, null))).toEqual(["01B", "01A"]);
    } finally {
      await newer.close();
    }
  });
});

function definition(id: string, name: string, locale: string, collections: string) {
  return {
    id,
    name,
    label: name,
    label_singular: null,
    hierarchical: 0,
    collections,
    locale,
    translation_group: id,
  };
}

function term(
  id: string,
  label: string,
  locale: string,
  translation_group: string,
  data: string | null = null,
) {
  return {
    id,
    name: "topic",
    slug: id,
    label,
    parent_id: null as string | null,
    data,
    locale,
    translation_group,
  };
}
