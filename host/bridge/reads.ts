/** Reads of single rows that a plugin makes at once: they go to the database as one query. */
import { type Found, short } from "./lists.js";
import type { Database } from "./operation.js";
import { prepared } from "./prepared.js";
import { type Key, rowsOf, type Shelf } from "./shelf.js";

/**
 * The row's text, or `undefined` when there is none.
 *
 * A query costs the database's client more than the database (libSQL: 30 of 36 µs), and a server's answer takes its time.
 */
export async function readRow(db: Database, key: Key): Promise<string | undefined> {
  if (GATHERABLE.test(key.id)) {
    const desk = deskOf(db);
    const reads = desk.join(key);
    // Whatever was asked for in the same turn of the event loop joins meanwhile.
    await undefined;
    if (!desk.isAlone(reads)) {
      const rows = await desk.send(reads);
      const row = rows?.find(({ id }) => id === key.id);
      if (rows !== undefined && row === undefined) return undefined;
      if (typeof row?.data === "string") return row.data;
    }
  }
  const { rows } = await select(db, key);
  return rows[0]?.data;
}

/** What is written from now on comes after what was asked for before. */
export function sendReads(db: Database): void {
  deskOf(db).sendAll();
}

/** Without rows where the query failed: each may succeed alone. */
type Reads = Shelf & { ids: string[]; rows: Promise<readonly Found[] | undefined> | undefined };

/** Where the reads of a database wait for each other. */
class Desk {
  readonly #db: Database;
  #waiting: Reads | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  join({ plugin, collection, id }: Key): Reads {
    const before = this.#waiting;
    if (before?.plugin === plugin && before.collection === collection && before.ids.length < MAX_GATHERED) {
      before.ids.push(id);
      return before;
    }
    this.sendAll();
    this.#waiting = { plugin, collection, ids: [id], rows: undefined };
    return this.#waiting;
  }

  /** It goes by itself then. */
  isAlone(reads: Reads): boolean {
    if (this.#waiting !== reads || reads.ids.length > 1) return false;
    this.#waiting = undefined;
    return true;
  }

  send(reads: Reads): Promise<readonly Found[] | undefined> {
    if (this.#waiting === reads) this.#waiting = undefined;
    reads.rows ??= selectAll(this.#db, reads).catch(() => undefined);
    return reads.rows;
  }

  sendAll(): void {
    if (this.#waiting) void this.send(this.#waiting);
  }
}

function deskOf(db: Database): Desk {
  const known = desks.get(db);
  if (known) return known;
  const made = new Desk(db);
  desks.set(db, made);
  return made;
}

const desks = new WeakMap<Database, Desk>();

/** As many as the host takes events in a turn. */
const MAX_GATHERED = 64;

/**
 * One that the database refuses would spoil the others, and one that it gives back otherwise would not be found: PostgreSQL
 * refuses U+0000, half a character becomes another, and libSQL's client for remote databases takes a U+FEFF for a byte order mark.
 */
const GATHERABLE = /^[^\0\uFEFF\p{Surrogate}]*$/u;

/** A query for each power of two, with the first id again and again in the places that are left. */
async function selectAll(db: Database, { plugin, collection, ids }: Reads): Promise<readonly Found[]> {
  const [first = ""] = ids;
  const places = 2 ** Math.ceil(Math.log2(ids.length));
  const named = Array.from({ length: places }, (_, at) => [`id${at}`, ids[at] ?? first]);
  return (await selectPlaces(places)(db, { plugin, collection, ...Object.fromEntries(named) })).rows;
}

/** One column: each costs some clients as much as a row does. */
const select = prepared((db, key: Key) => rowsOf(db, key).where("id", "=", key.id).select("data"));

type Places = Shelf & Record<string, string>;

function selectPlaces(places: number): (db: Database, args: Places) => Promise<{ rows: Found[] }> {
  const known = byPlaces.get(places);
  if (known) return known;
  const made = prepared((db, { plugin, collection, ...ids }: Places) =>
    rowsOf(db, { plugin, collection })
      .where("id", "in", Object.values(ids))
      .select((row) => ["id", short(row, "data")]),
  );
  byPlaces.set(places, made);
  return made;
}

const byPlaces = new Map<number, ReturnType<typeof selectPlaces>>();
