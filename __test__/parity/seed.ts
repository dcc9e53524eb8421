/** What is in the databases before the first case. The same rows each time: ids and times are fixed. */
import type { Kysely } from "kysely";
import type { Database } from "../../host/bridge/operation.js";
import { insertRow } from "../support/bridge.js";
import { createCollection, insertContent } from "../support/database.js";

const TIMES = { created_at: "2001-01-01T00:00:00.000Z", updated_at: "2001-01-02T00:00:00.000Z" };

/** ULIDs that sort by their number. */
export function seedId(number: number): string {
  return `01HZZZZZZZZZZZZZZZ${String(number).padStart(8, "0")}`;
}

export const seededIds: ReadonlySet<string> = new Set(numbers(410).map(seedId));

export async function seed(db: Database): Promise<void> {
  await seedStorage(db);
  await seedContent(db);
  await seedTaxonomies(tables(db));
  await seedMediaAndUsers(tables(db));
}

async function seedStorage(db: Database): Promise<void> {
  const collection = "__kv";
  await insertRow(db, { plugin: "everything", collection, id: "broken row", data: "{no json" });
  await insertRow(db, { plugin: "somebody else", collection, id: "foreign row", data: "1" });
  await insertRow(db, { plugin: "somebody else", collection: "notes", id: "foreign", data: '{"rank":1}' });
  const notes = numbers(120).map((rank) => {
    const data = { rank, kind: rank % 2 ? "odd" : "even", slug: `s${rank}`, loose: rank };
    const time = new Date(Date.UTC(2001, 0, 1) + rank * 1000).toISOString();
    const key = { plugin_id: "everything", collection: "notes", id: `n${String(rank).padStart(3, "0")}` };
    return { ...key, data: JSON.stringify(data), created_at: time, updated_at: time };
  });
  await db.insertInto("_plugin_storage").values(notes).execute();
}

async function seedContent(db: Database): Promise<void> {
  await createCollection(db, "posts", {
    title: "string",
    body: "portableText",
    rank: "integer",
    price: "number",
    flag: "boolean",
    note: "text",
    meta: "json",
  });
  await createCollection(db, "many", { title: "string" });
  await createCollection(db, "drafts", { title: "string" });
  const row = { translation_group: "group", locale: "en", status: "published", ...TIMES };
  await insertContent(db, "posts", {
    ...row,
    id: seedId(1),
    slug: "first",
    author_id: "author",
    title: "First",
    body: '[{"_type":"block"}]',
    rank: 1,
    price: 1.5,
    flag: 1,
    note: "[no json",
    meta: '{"a":{"b":[1]}}',
  });
  await insertContent(db, "posts", { ...row, id: seedId(2), locale: "de", title: "Ünï 🦀", note: "" });
  await insertContent(db, "posts", { ...row, id: seedId(3), title: "Gone", deleted_at: TIMES.updated_at });
  await insertContent(db, "posts", {
    ...row,
    id: "odd '\"; id",
    title: "[1]",
    note: '{"looks":"like JSON"}',
  });
  const many = numbers(105).map((at) => ({ ...row, id: seedId(100 + at), slug: `m${at}`, title: `${at}` }));
  await tables(db).insertInto("ec_many").values(many).execute();
}

type Tables = Kysely<Record<string, Record<string, unknown>>>;

/** Column by column, whatever EmDash's types think of them. */
function tables(db: Database): Tables {
  return db as unknown as Tables;
}

async function seedTaxonomies(db: Tables): Promise<void> {
  const definition = { label_singular: "One", hierarchical: 1, collections: '["posts"]', locale: "en" };
  const definitions = [
    { ...definition, id: "def1", name: "topics", label: "Topics", translation_group: "def1" },
    { ...definition, id: "def2", name: "topics", label: "Themen", locale: "de", translation_group: "def1" },
    { ...definition, id: "def3", name: "areas", label: "Areas", hierarchical: 0, collections: "no json" },
  ];
  await db.insertInto("_emdash_taxonomy_defs").values(definitions).execute();
  const term = { name: "topics", parent_id: null, data: null, locale: "en" };
  const terms = [
    { ...term, id: "t1", slug: "b", label: "B", translation_group: "t1", data: '{"color":"red"}' },
    { ...term, id: "t2", slug: "a", label: "A", translation_group: "t2", parent_id: "t1" },
    { ...term, id: "t3", slug: "be", label: "B auf Deutsch", locale: "de", translation_group: "t1" },
    { ...term, id: "t4", slug: "c", label: "A", translation_group: "t4", data: "[1]" },
    { ...term, id: "t5", name: "areas", slug: "x", label: "X", translation_group: "t5", data: "no json" },
  ];
  await db.insertInto("taxonomies").values(terms).execute();
  for (const taxonomy_id of ["t1", "t2", "t5"]) {
    const row = { collection: "posts", entry_id: seedId(1), taxonomy_id };
    await db.insertInto("content_taxonomies").values(row).execute();
  }
}

async function seedMediaAndUsers(db: Tables): Promise<void> {
  const file = { mime_type: "image/png", size: 10, status: "ready", created_at: TIMES.created_at };
  const kinds = ["image/png", "image/jpeg", "video/mp4", "application/pdf"];
  const files = numbers(105).map((at) => {
    const id = seedId(300 + at);
    return { ...file, id, filename: `f${at}.bin`, storage_key: `${id}.bin`, mime_type: kinds[at % 4] };
  });
  const pending = {
    ...file,
    id: "pending",
    filename: "p.png",
    storage_key: "pending.png",
    status: "pending",
  };
  const sizeless = { ...file, id: "sizeless", filename: "s", storage_key: "s", size: null };
  await db
    .insertInto("media")
    .values([...files, pending, sizeless])
    .execute();

  const users = numbers(105).map((at) => ({
    id: `user${String(at).padStart(3, "0")}`,
    email: `user${at}@parity.example`,
    name: at % 2 ? `User ${at}` : null,
    role: (at % 5) * 10,
    email_verified: 1,
    ...TIMES,
  }));
  await db.insertInto("users").values(users).execute();
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
