/**
 * The rows of `_plugin_storage`, where both `ctx.kv` and `ctx.storage` live: as EmDash and its own runners write them,
 * JSON text and ISO times.
 */
import { listAll, PAGE, Room, short } from "./lists.js";
import { assertMayWrite, type Database, type MayWrite } from "./operation.js";
import { codePointOrder, isPast, startsWith } from "./prefix.js";
import { prepared } from "./prepared.js";
import { readRow, sendReads } from "./reads.js";
import { type Key, type Row, rowsOf, type Shelf } from "./shelf.js";

export async function hasRow(db: Database, key: Key): Promise<boolean> {
  const { rows } = await find(db, key);
  return rows.length > 0;
}

const find = prepared((db, key: Key) => rowsOf(db, key).where("id", "=", key.id).select("id"));

export async function writeRow(db: Database, { data, ...key }: Key & { data: string }): Promise<void> {
  sendReads(db);
  await upsert(db, { ...key, data, now: new Date().toISOString() });
}

const upsert = prepared((db, { now, data, ...key }: Key & { data: string; now: string }) =>
  upsertOf(db, [newRow(key, { id: key.id, data }, now)]),
);

/** Whether there was one. */
export async function removeRow(db: Database, key: Key): Promise<boolean> {
  sendReads(db);
  const { numAffectedRows } = await remove(db, key);
  return Number(numAffectedRows ?? 0) > 0;
}

const remove = prepared((db, key: Key) =>
  db
    .deleteFrom("_plugin_storage")
    .where("plugin_id", "=", key.plugin)
    .where("collection", "=", key.collection)
    .where("id", "=", key.id),
);

/** The rows whose id begins with `prefix`, letter for letter, in the order of their ids' code points. */
export async function listRows(
  db: Database,
  room: Room,
  { prefix, ...shelf }: Shelf & { prefix: string },
): Promise<Row[]> {
  const page = (after: string | undefined) =>
    rowsOf(db, shelf)
      .where((row) => startsWith(db, row, "id", prefix))
      .$if(after !== undefined, (query) => query.where(isPast(db, "id", after)))
      .select((row) => ["id", short(row, "data")])
      .orderBy("id", codePointOrder(db))
      .limit(PAGE)
      .execute();
  return listAll(room, page, (id) => readRow(db, { ...shelf, id }));
}

/** In no particular order; ids without a row are left out. */
export async function readRows(db: Database, { ids, ...shelf }: Shelf & { ids: string[] }): Promise<Row[]> {
  const room = new Room();
  const rows: Row[] = [];
  for (const some of chunks(ids)) {
    const found = await rowsOf(db, shelf)
      .where("id", "in", some)
      .select((row) => ["id", short(row, "data")])
      .execute();
    rows.push(...(await room.take(found, (id) => readRow(db, { ...shelf, id }))));
  }
  return rows;
}

/** All or none of them. Of two rows with the same id the later one counts. */
export async function writeRows(
  db: Database,
  mayWrite: MayWrite,
  { rows, ...shelf }: Shelf & { rows: Row[] },
): Promise<void> {
  // PostgreSQL refuses a statement that touches a row twice.
  const distinct = [...new Map(rows.map((row) => [row.id, row])).values()];
  const now = new Date().toISOString();
  await allOrNothing(db, mayWrite, chunks(distinct), async (on, some) => {
    await upsertOf(
      on,
      some.map((row) => newRow(shelf, row, now)),
    ).execute();
  });
}

/** How many there were. All or none of them go. */
export async function removeRows(
  db: Database,
  mayWrite: MayWrite,
  { ids, ...shelf }: Shelf & { ids: string[] },
): Promise<number> {
  let removed = 0;
  await allOrNothing(db, mayWrite, chunks(ids), async (on, some) => {
    const result = await on
      .deleteFrom("_plugin_storage")
      .where("plugin_id", "=", shelf.plugin)
      .where("collection", "=", shelf.collection)
      .where("id", "in", some)
      .executeTakeFirst();
    removed += Number(result.numDeletedRows);
  });
  return removed;
}

/** A row's text as it is, or as a JSON string when somebody wrote a row that is not JSON. */
export function validJson(data: string): string {
  try {
    JSON.parse(data);
    return data;
  } catch {
    return JSON.stringify(data);
  }
}

function newRow(shelf: Shelf, { id, data }: Row, now: string) {
  return {
    plugin_id: shelf.plugin,
    collection: shelf.collection,
    id,
    data,
    created_at: now,
    updated_at: now,
  };
}

function upsertOf(db: Database, rows: ReturnType<typeof newRow>[]) {
  return db
    .insertInto("_plugin_storage")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["plugin_id", "collection", "id"]).doUpdateSet(({ ref }) => ({
        data: ref("excluded.data"),
        updated_at: ref("excluded.updated_at"),
      })),
    );
}

/** One statement needs no transaction: it is one. */
async function allOrNothing<Item>(
  db: Database,
  mayWrite: MayWrite,
  parts: Item[][],
  run: (on: Database, part: Item[]) => Promise<void>,
): Promise<void> {
  sendReads(db);
  const [only, ...others] = parts;
  if (only === undefined) return;
  if (others.length === 0) return run(db, only);
  await db.transaction().execute(async (transaction) => {
    for (const part of parts) {
      // It may have waited for its turn.
      assertMayWrite(mayWrite);
      await run(transaction, part);
    }
  });
}

function chunks<Item>(items: Item[]): Item[][] {
  const parts: Item[][] = [];
  for (let start = 0; start < items.length; start += CHUNK) parts.push(items.slice(start, start + CHUNK));
  return parts;
}

/** Six parameters a row: SQLite takes 32,766 in a statement, PostgreSQL 65,535. */
const CHUNK = 1000;
