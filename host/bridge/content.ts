/** `ctx.content`, reading. */
import { type ContentRow, contentTables, itemOf, tableOf } from "./content-rows.js";
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

function liveRows(db: Database, collection: string) {
  return contentTables(db)
    .selectFrom(tableOf(collection))
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
