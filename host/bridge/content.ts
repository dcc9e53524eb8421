/** `ctx.content`, reading: the rows of `ec_<collection>` as items. */
import type { Kysely } from "kysely";
import { isMissingTable } from "./database-errors.js";
import { type Database, operation } from "./operation.js";

export const get = operation<[collection: string, id: string]>(async ({ db }, _plugin, [collection, id]) => {
  const query = liveRows(db, collection).where("id", "=", id);
  const [row] = await unlessMissing(query.execute());
  return row === undefined ? "null" : JSON.stringify(itemOf(collection, row));
});

/** Newest id first: ids are ULIDs, which begin with their time. */
export const list = operation<[collection: string, limit: string | null, cursor: string | null]>(
  async ({ db }, _plugin, [collection, limitText, cursor]) => {
    const limit = limitText === null ? DEFAULT_LIMIT : Number(limitText);
    let query = liveRows(db, collection)
      .orderBy("id", "desc")
      .limit(limit + 1);
    if (cursor !== null) query = query.where("id", "<", cursor);

    const rows = await unlessMissing(query.execute());
    const items = rows.slice(0, limit).map((row) => itemOf(collection, row));
    const hasMore = rows.length > limit;
    return JSON.stringify({ items, cursor: hasMore ? items.at(-1)?.id : undefined, hasMore });
  },
);

/** As EmDash documents it for `content.list`. */
const DEFAULT_LIMIT = 50;

interface ContentRow {
  id: string;
  created_at: string;
  updated_at: string;
  deleted_at: string | null;
  locale: string;
  [column: string]: unknown;
}

function liveRows(db: Database, collection: string) {
  // Collections are made at run time, so EmDash's `Database` type cannot name their tables.
  const tables = db as unknown as Kysely<Record<string, ContentRow>>;
  return tables
    .selectFrom(`ec_${collection}`)
    .where("deleted_at", "is", null)
    .selectAll()
    .$castTo<ContentRow>();
}

/** A collection that nobody created is an empty one; any other failure is a failure. */
async function unlessMissing(rows: Promise<ContentRow[]>): Promise<ContentRow[]> {
  try {
    return await rows;
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw error;
  }
}

function itemOf(collection: string, row: ContentRow) {
  const fields = Object.entries(row).filter(
    ([column, value]) => value !== null && !SYSTEM_COLUMNS.has(column),
  );
  return {
    id: row.id,
    type: collection,
    data: Object.fromEntries(fields.map(([column, value]) => [column, fieldValue(value)])),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    locale: row.locale,
  };
}

/** Rich text, lists and JSON fields are kept as text; nothing in a row says which of its texts they are. */
function fieldValue(value: unknown): unknown {
  if (typeof value !== "string" || !/^[{[]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** The columns that EmDash gives to every collection; the others are fields. */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set([
  "id",
  "slug",
  "status",
  "author_id",
  "primary_byline_id",
  "created_at",
  "updated_at",
  "published_at",
  "scheduled_at",
  "deleted_at",
  "version",
  "live_revision_id",
  "draft_revision_id",
  "locale",
  "translation_group",
]);
