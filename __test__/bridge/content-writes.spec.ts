import type { Kysely } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmDash, type Host, publicMessage } from "../../host/bridge/index.js";
import { type Caller, callerOf } from "../support/bridge.js";
import {
  createCollection,
  databaseKinds,
  insertContent,
  type TemporaryDatabase,
} from "../support/database.js";

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe.each(databaseKinds())("content writes on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let call: Caller;
  let collections = 0;
  beforeAll(async () => {
    database = await open();
    call = callerOf(database.db, { id: "writer" });
  });
  afterAll(() => database.close());

  /** A collection that no other test writes to. */
  async function newCollection(): Promise<string> {
    collections += 1;
    const name = `posts_${collections}`;
    await createCollection(database.db, name, {
      title: "string",
      body: "portableText",
      rank: "integer",
      shown: "boolean",
    });
    return name;
  }

  function rowOf(collection: string, id: unknown) {
    const tables = database.db as unknown as Kysely<Record<string, Record<string, unknown>>>;
    return tables
      .selectFrom(`ec_${collection}`)
      .selectAll()
      .where("id", "=", id as string)
      .executeTakeFirst();
  }

  function create(collection: string, data: unknown): Promise<Item> {
    return call("content/create", collection, JSON.stringify(data), null) as Promise<Item>;
  }

  async function refusal(answer: Promise<unknown>, method = "content/create"): Promise<string> {
    return publicMessage(await answer.catch((error: unknown) => error), method);
  }

  async function taxonomyCopy(collection: string, id: string) {
    return await database.db
      .selectFrom("content_taxonomies")
      .select(["status", "deleted_at"])
      .where("collection", "=", collection)
      .where("entry_id", "=", id)
      .executeTakeFirst();
  }

  it("creates a draft with a ULID, and answers what get would", async () => {
    const collection = await newCollection();
    const item = await create(collection, {
      title: 'It\'s "1" 🦀',
      body: [{ _type: "block", n: 0, s: "\u0000" }],
      rank: 7,
      shown: true,
    });
    expect(item).toEqual({
      id: expect.stringMatching(ULID),
      type: collection,
      data: { title: 'It\'s "1" 🦀', body: [{ _type: "block", n: 0, s: "\u0000" }], rank: 7, shown: 1 },
      createdAt: expect.stringMatching(ISO),
      updatedAt: item.createdAt,
      locale: "en",
    });
    expect(await call("content/get", collection, item.id)).toEqual(item);
    expect(await rowOf(collection, item.id)).toMatchObject({
      slug: null,
      status: "draft",
      author_id: null,
      version: 1,
      translation_group: item.id,
      published_at: null,
    });
  });

  it("takes slug, status and author from the data, and no other column of EmDash's", async () => {
    const collection = await newCollection();
    const { id } = await create(collection, {
      slug: "first",
      status: "published",
      author_id: "somebody",
      id: "mine",
      version: 99,
      locale: "xx",
      published_at: "never",
      deleted_at: "now",
      translation_group: "other",
      primary_byline_id: "byline",
    });
    expect(await rowOf(collection, id)).toMatchObject({
      slug: "first",
      status: "published",
      author_id: "somebody",
      version: 1,
      locale: "en",
      published_at: null,
      deleted_at: null,
      translation_group: id,
      primary_byline_id: null,
    });
  });

  it.each(["slug", "status", "author_id"])("takes no %s that is not a text", async (column) => {
    const collection = await newCollection();
    const { id } = await create(collection, { [column]: { a: 1 } });
    expect(await rowOf(collection, id)).toMatchObject({ slug: null, status: "draft", author_id: null });
  });

  it("names a field that the collection does not have, and no SQL", async () => {
    const collection = await newCollection();
    for (const field of ["nope", "Title", "title; drop", "__proto__", "constructor", ""]) {
      const words = `Unknown field '${field}' in collection '${collection}'`;
      const data = `{${JSON.stringify(field)}:1}`;
      expect(await refusal(call("content/create", collection, data, null))).toBe(words);
      const { id } = await create(collection, {});
      expect(await refusal(call("content/update", collection, id, data))).toBe(words);
    }
  });

  it("says when there is no such collection", async () => {
    expect(await refusal(create("nowhere", {}))).toBe("Unknown collection: nowhere");
    expect(await refusal(call("content/deleteMany", "nowhere", "[]"))).toBe("Unknown collection: nowhere");
  });

  it("says which value is taken, without SQL", async () => {
    const collection = await newCollection();
    await create(collection, { slug: "same" });
    expect(await refusal(create(collection, { slug: "same" }))).toBe(
      `Already in use in collection '${collection}': slug, locale`,
    );
  });

  it("changes what it is given and nothing else", async () => {
    const collection = await newCollection();
    const { id, createdAt } = await create(collection, { slug: "s", title: "old", rank: 1, shown: true });
    const item = (await call(
      "content/update",
      collection,
      id,
      '{"rank":null,"shown":false,"author_id":"evil"}',
    )) as Item;
    expect(item).toMatchObject({ id, createdAt, data: { title: "old", shown: 0 } });
    expect(item.data).not.toHaveProperty("rank");
    expect(await rowOf(collection, id)).toMatchObject({ slug: "s", version: 2, author_id: null, rank: null });
  });

  it("changes slug and status, and the copy of the status beside the entry's terms", async () => {
    const collection = await newCollection();
    const { id } = await create(collection, { slug: "s" });
    await database.db
      .insertInto("content_taxonomies")
      .values({ collection, entry_id: id, taxonomy_id: "t", status: "draft" })
      .execute();
    await call("content/update", collection, id, '{"slug":"t","status":"published"}');
    expect(await rowOf(collection, id)).toMatchObject({ slug: "t", status: "published" });
    expect(await taxonomyCopy(collection, id)).toEqual({ status: "published", deleted_at: null });
    await call("content/update", collection, id, '{"slug":7,"status":8}');
    expect(await rowOf(collection, id)).toMatchObject({ slug: null, status: "published", version: 3 });
  });

  it("moves to the trash once, and the copy beside its terms with it", async () => {
    const collection = await newCollection();
    const { id } = await create(collection, {});
    await database.db
      .insertInto("content_taxonomies")
      .values({ collection, entry_id: id, taxonomy_id: "t" })
      .execute();
    expect(await call("content/delete", collection, id)).toBe(true);
    expect(await call("content/delete", collection, id)).toBe(false);
    expect(await call("content/get", collection, id)).toBeNull();
    expect(await rowOf(collection, id)).toMatchObject({ deleted_at: expect.stringMatching(ISO) });
    expect(await taxonomyCopy(collection, id)).toMatchObject({ deleted_at: expect.stringMatching(ISO) });
  });

  it("does not update what is in the trash or never was", async () => {
    const collection = await newCollection();
    const { id } = await create(collection, {});
    await call("content/delete", collection, id);
    for (const gone of [id, "never"]) {
      expect(await refusal(call("content/update", collection, gone, '{"title":"x"}'))).toBe(
        `Content not found or deleted: ${collection}/${gone}`,
      );
    }
  });

  it("creates many in their order", async () => {
    const collection = await newCollection();
    const titles = Array.from({ length: 100 }, (_, at) => `t${at}`);
    const items = (await call(
      "content/createMany",
      collection,
      JSON.stringify(titles.map((title) => ({ title }))),
    )) as Item[];
    expect(items.map(({ data }) => data.title)).toEqual(titles);
    const page = (await call("content/list", collection, "100", null)) as { items: Item[] };
    expect(page.items.map(({ data }) => data.title)).toEqual(titles.toReversed());
    expect(await call("content/createMany", collection, "[]")).toEqual([]);
  });

  it("creates all of many or none", async () => {
    const collection = await newCollection();
    const answer = call("content/createMany", collection, '[{"title":"a"},{"title":"b"},{"nope":1}]');
    expect(await refusal(answer)).toBe(`Unknown field 'nope' in collection '${collection}'`);
    const taken = call("content/createMany", collection, '[{"slug":"a"},{"slug":"a"}]');
    expect(await refusal(taken)).toContain("Already in use");
    expect(await call("content/list", collection, null, null)).toEqual({ items: [], hasMore: false });
  });

  it("updates all of many or none", async () => {
    const collection = await newCollection();
    const [a, b] = [await create(collection, { title: "a" }), await create(collection, { title: "b" })];
    const updates = (second: string) =>
      JSON.stringify([
        { id: a.id, data: { title: "A" } },
        { id: second, data: { title: "B" } },
      ]);
    expect(await refusal(call("content/updateMany", collection, updates("gone")))).toBe(
      `Content not found or deleted: ${collection}/gone`,
    );
    expect(await call("content/get", collection, a.id)).toMatchObject({ data: { title: "a" } });
    expect(await call("content/updateMany", collection, updates(b.id))).toMatchObject([
      { id: a.id, data: { title: "A" } },
      { id: b.id, data: { title: "B" } },
    ]);
  });

  it("deletes many and counts those that were there", async () => {
    const collection = await newCollection();
    const [a, b] = [await create(collection, {}), await create(collection, {})];
    const ids = JSON.stringify([a.id, "gone", b.id, a.id]);
    expect(await call("content/deleteMany", collection, ids)).toBe(2);
    expect(await call("content/list", collection, null, null)).toEqual({ items: [], hasMore: false });
  });

  it("loses nothing when several write at once", async () => {
    const collection = await newCollection();
    const { id } = await create(collection, { rank: 0 });
    await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        at % 2
          ? call("content/createMany", collection, '[{"title":"a"},{"title":"b"}]')
          : call("content/update", collection, id, `{"rank":${at}}`),
      ),
    );
    const page = (await call("content/list", collection, "100", null)) as { items: Item[] };
    expect(page.items).toHaveLength(11);
    expect(await rowOf(collection, id)).toMatchObject({ version: 6 });
  });

  describe("the host's say before a write", () => {
    const methods: [string, ...string[]][] = [
      ["content/create", "{}", ""],
      ["content/update", "01A", "{}"],
      ["content/delete", "01A"],
      ["content/createMany", "[{}]"],
      ["content/updateMany", '[{"id":"01A","data":{}}]'],
      ["content/deleteMany", '["01A"]'],
    ];

    it.each(methods)("%s is refused before anything is written", async (method, ...args) => {
      const collection = await newCollection();
      await insertContent(database.db, collection, { id: "01A" });
      const before = await rowOf(collection, "01A");
      const busy = Object.assign(new Error("busy"), { code: "MEDIA_USAGE_ACTIVATION_IN_PROGRESS" });
      const refused = callerOf(database.db, { id: "w" }, { beforeContentWrite: () => Promise.reject(busy) });
      await expect(refused(method, collection, ...args.map((arg) => arg || null))).rejects.toBe(busy);
      expect(await rowOf(collection, "01A")).toEqual(before);
      expect(await call("content/list", collection, null, null)).toMatchObject({ items: [{ id: "01A" }] });
    });

    it.each(methods)(
      "%s writes nothing when its caller's time ran out meanwhile",
      async (method, ...args) => {
        const collection = await newCollection();
        await insertContent(database.db, collection, { id: "01A" });
        const before = await rowOf(collection, "01A");
        let hasTime = true;
        const beforeContentWrite = async () => {
          hasTime = false;
        };
        const late = callerOf(database.db, { id: "w" }, { beforeContentWrite }, () => hasTime);
        await expect(late(method, collection, ...args.map((arg) => arg || null))).rejects.toThrow(
          "the hook or route that made this call is over",
        );
        expect(await rowOf(collection, "01A")).toEqual(before);
        expect(await call("content/list", collection, null, null)).toMatchObject({ items: [{ id: "01A" }] });
      },
    );

    it("takes back what a batch has written when the time runs out within it", async () => {
      const collection = await newCollection();
      let asked = 0;
      const late = callerOf(database.db, { id: "w" }, {}, () => {
        asked += 1;
        return asked < 3;
      });
      await expect(late("content/createMany", collection, "[{},{},{}]")).rejects.toThrow("is over");
      expect(asked).toBe(3);
      expect(await call("content/list", collection, null, null)).toMatchObject({ items: [] });
    });

    it.each(methods)("%s asks once", async (method, ...args) => {
      const collection = await newCollection();
      await insertContent(database.db, collection, { id: "01A" });
      let asked = 0;
      const beforeContentWrite = async () => {
        asked += 1;
      };
      const asking = callerOf(database.db, { id: "w" }, { beforeContentWrite });
      await asking(method, collection, ...args.map((arg) => arg || null));
      expect(asked).toBe(1);
    });
  });

  describe("locales", () => {
    const i18n = () => ({ defaultLocale: "de", locales: ["de", "pt-BR"] });

    async function localeOf(asked: string | null, parts: Partial<Host>): Promise<unknown> {
      const caller = callerOf(database.db, { id: "w" }, parts);
      const item = (await caller("content/create", await newCollection(), "{}", asked)) as Item;
      return item.locale;
    }

    it("are the site's first when none is asked for", async () => {
      expect(await localeOf(null, { i18n })).toBe("de");
      const many = (await callerOf(database.db, { id: "w" }, { i18n })(
        "content/createMany",
        await newCollection(),
        "[{}]",
      )) as Item[];
      expect(many).toMatchObject([{ locale: "de" }]);
    });

    it.each([
      ["as the site writes it", "pt-br", { i18n }, "pt-BR"],
      ["any, when the site has only one", "fr", {}, "fr"],
    ])("%s", async (_what, asked, parts, expected) => {
      expect(await localeOf(asked, parts)).toBe(expected);
    });

    it.each([
      ["fr", { i18n }, 'Locale "fr" is not configured for this site'],
      ["", { i18n }, 'Invalid locale code: ""'],
      ["d'e", {}, 'Invalid locale code: "d\'e"'],
    ])("%j is refused", async (asked, parts, words) => {
      expect(await refusal(localeOf(asked, parts))).toBe(words);
    });

    it("are resolved by EmDash where it can", async () => {
      const seen: unknown[] = [];
      const emdash = new EmDash("0.34.0", async () => ({
        resolveContentCreateLocale: (...args) => {
          seen.push(args);
          if (args[0] === "xx") throw new Error("EmDash's own words");
          return "resolved";
        },
      }));
      expect(await localeOf("de", { i18n, emdash })).toBe("resolved");
      expect(seen).toEqual([["de", i18n()]]);
      expect(await refusal(localeOf("xx", { emdash }))).toBe("EmDash's own words");
    });
  });
});

interface Item {
  id: string;
  data: Record<string, unknown>;
  createdAt: string;
  locale: string;
}
