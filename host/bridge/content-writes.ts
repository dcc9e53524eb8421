/** `ctx.content`, writing. Of EmDash's own columns a plugin sets the slug, the status and, on creation, the author. */
import { monotonicFactory } from "ulidx";
import { type Collection, describeCollection } from "./collections.js";
import {
  type ContentItem,
  type ContentRow,
  contentTables,
  itemOf,
  SYSTEM_COLUMNS,
  tableOf,
} from "./content-rows.js";
import { constraintViolation, PublicError } from "./database-errors.js";
import type { UpdateDraftAware } from "./emdash.js";
import { createLocale } from "./locale.js";
import { forgetCollection } from "./object-cache.js";
import { assertMayWrite, type Database, type Host, type MayWrite, operation } from "./operation.js";

type Fields = Record<string, unknown>;
type Update = { id: string; data: Fields };

export const create = operation<[collection: string, data: string, locale: string | null]>(
  async (host, _plugin, [name, data, asked], _upload, mayWrite) => {
    const locale = await createLocale(host, asked);
    const [item] = await createEntries(host, mayWrite, name, [JSON.parse(data)], locale);
    return JSON.stringify(item);
  },
);

export const createMany = operation<[collection: string, items: string]>(
  async (host, _plugin, [name, items], _upload, mayWrite) => {
    const locale = await createLocale(host, null);
    return JSON.stringify(await createEntries(host, mayWrite, name, JSON.parse(items), locale));
  },
);

export const update = operation<[collection: string, id: string, data: string]>(
  async (host, _plugin, [name, id, data], _upload, mayWrite) => {
    const [item] = await updateEntries(host, mayWrite, name, [{ id, data: JSON.parse(data) }]);
    return JSON.stringify(item);
  },
);

export const updateMany = operation<[collection: string, items: string]>(
  async (host, _plugin, [name, items], _upload, mayWrite) =>
    JSON.stringify(await updateEntries(host, mayWrite, name, JSON.parse(items))),
);

/** To the trash, whence an editor can take it back. */
export const remove = operation<[collection: string, id: string]>(
  async (host, _plugin, [name, id], _upload, mayWrite) =>
    JSON.stringify((await removeEntries(host, mayWrite, name, [id])) > 0),
);

export const removeMany = operation<[collection: string, ids: string]>(
  async (host, _plugin, [name, ids], _upload, mayWrite) =>
    JSON.stringify(await removeEntries(host, mayWrite, name, JSON.parse(ids))),
);

async function createEntries(
  host: Host,
  mayWrite: MayWrite,
  name: string,
  entries: Fields[],
  locale: string,
): Promise<ContentItem[]> {
  await host.beforeContentWrite?.();
  const collection = await describeCollection(host.db, name);
  return await write(host, mayWrite, name, entries, (db, data) => insertEntry(db, collection, data, locale));
}

async function updateEntries(
  host: Host,
  mayWrite: MayWrite,
  name: string,
  updates: Update[],
): Promise<ContentItem[]> {
  await host.beforeContentWrite?.();
  const collection = await describeCollection(host.db, name);
  return await write(host, mayWrite, name, updates, async (db, update) => {
    const stage = collection.keepsRevisions ? await host.emdash.updateDraftAware(db) : undefined;
    // The first time EmDash had to be loaded.
    if (stage) assertMayWrite(mayWrite);
    return stage ? stageDraft(stage, collection, update) : updateEntry(db, collection, update);
  });
}

async function removeEntries(host: Host, mayWrite: MayWrite, name: string, ids: string[]): Promise<number> {
  await host.beforeContentWrite?.();
  await describeCollection(host.db, name);
  const removed = await write(host, mayWrite, name, ids, (db, id) => trashEntry(db, name, id));
  return removed.filter(Boolean).length;
}

/** Carries out all or none; then what EmDash has cached of the collection is out of date. */
async function write<Item, Answer>(
  host: Host,
  mayWrite: MayWrite,
  collection: string,
  items: Item[],
  one: (db: Database, item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers = await inTransaction(host.db, items, async (db, item) => {
    // Much may have been waited for: the site's call-back, a connection, the entries before.
    assertMayWrite(mayWrite);
    return await one(db, item);
  }).catch((error) => {
    throw constraintViolation(error, collection) ?? error;
  });
  await forgetCollection(host, collection);
  return answers;
}

async function inTransaction<Item, Answer>(
  db: Database,
  items: Item[],
  one: (db: Database, item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const [only, ...others] = items;
  if (only === undefined) return [];
  // A single entry is one statement; what may follow it only mirrors it.
  if (others.length === 0) return [await one(db, only)];
  return await db.transaction().execute(async (transaction) => {
    const answers: Answer[] = [];
    for (const item of items) answers.push(await one(transaction, item));
    return answers;
  });
}

async function insertEntry(
  db: Database,
  collection: Collection,
  data: Fields,
  locale: string,
): Promise<ContentItem> {
  const id = ulid();
  const now = new Date().toISOString();
  const row = {
    ...columns(collection, data),
    id,
    slug: textOr(data.slug, null),
    status: textOr(data.status, "draft"),
    author_id: textOr(data.author_id, null),
    created_at: now,
    updated_at: now,
    version: 1,
    locale,
    translation_group: id,
  };
  const inserted = await contentTables(db)
    .insertInto(tableOf(collection.name))
    .values(row)
    .returningAll()
    .executeTakeFirstOrThrow();
  return itemOf(collection.name, inserted as ContentRow);
}

async function updateEntry(db: Database, collection: Collection, { id, data }: Update): Promise<ContentItem> {
  const changed = {
    ...columns(collection, data),
    ...(typeof data.status === "string" && { status: data.status }),
    ...(data.slug !== undefined && { slug: textOr(data.slug, null) }),
    updated_at: new Date().toISOString(),
  };
  const updated = await contentTables(db)
    .updateTable(tableOf(collection.name))
    .set((row) => ({ ...changed, version: row("version", "+", 1) }))
    .where("id", "=", id)
    .where("deleted_at", "is", null)
    .returningAll()
    .executeTakeFirst();
  if (updated === undefined) throw notFound(collection.name, id);
  const { status } = updated as ContentRow;
  if ("status" in changed) await mirrorToTaxonomies(db, collection.name, id, { status });
  return itemOf(collection.name, updated as ContentRow);
}

async function stageDraft(
  stage: UpdateDraftAware,
  collection: Collection,
  { id, data }: Update,
): Promise<ContentItem> {
  try {
    const item = await stage(collection.name, id, {
      data: fieldsOf(collection, data),
      ...(typeof data.status === "string" && { status: data.status }),
      ...(data.slug !== undefined && { slug: textOr(data.slug, null) }),
    });
    const { type, createdAt, updatedAt, locale } = item;
    return { id: item.id, type, data: item.data, createdAt, updatedAt, locale: locale ?? "en" };
  } catch (error) {
    if (error instanceof Error && error.message === "Content not found") throw notFound(collection.name, id);
    throw error;
  }
}

/** Whether it was there. */
async function trashEntry(db: Database, collection: string, id: string): Promise<boolean> {
  const now = new Date().toISOString();
  const { numUpdatedRows } = await contentTables(db)
    .updateTable(tableOf(collection))
    .set({ deleted_at: now, updated_at: now })
    .where("id", "=", id)
    .where("deleted_at", "is", null)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) return false;
  await mirrorToTaxonomies(db, collection, id, { deleted_at: now });
  return true;
}

/** EmDash keeps a copy of these columns beside an entry's terms; its listings by term go by the copy. */
async function mirrorToTaxonomies(
  db: Database,
  collection: string,
  id: string,
  copy: { status: string } | { deleted_at: string },
): Promise<void> {
  await db
    .updateTable("content_taxonomies")
    .set(copy)
    .where("collection", "=", collection)
    .where("entry_id", "=", id)
    .execute();
}

/** The fields of `data` as the database holds them. */
function columns(collection: Collection, data: Fields): Fields {
  const entries = Object.entries(fieldsOf(collection, data));
  return Object.fromEntries(entries.map(([field, value]) => [field, columnValue(value)]));
}

/** @throws PublicError when the collection does not have one of them */
function fieldsOf(collection: Collection, data: Fields): Fields {
  const entries = Object.entries(data).filter(([field]) => !SYSTEM_COLUMNS.has(field));
  for (const [field] of entries) {
    if (!collection.fields.has(field)) {
      throw new PublicError(`Unknown field '${field}' in collection '${collection.name}'`);
    }
  }
  return Object.fromEntries(entries);
}

function columnValue(value: unknown): unknown {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

function textOr<Otherwise>(value: unknown, otherwise: Otherwise): string | Otherwise {
  return typeof value === "string" ? value : otherwise;
}

function notFound(collection: string, id: string): PublicError {
  return new PublicError(`Content not found or deleted: ${collection}/${id}`);
}

/** Monotonic, so that entries made within one millisecond still list in the order in which they were made. */
const ulid = monotonicFactory();
