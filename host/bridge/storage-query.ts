/**
 * `storage.query` and `storage.count`: documents by what their JSON says. The same language, SQL and cursors as EmDash's
 * `PluginStorageRepository`, without importing EmDash: `__test__/bridge/storage-query.spec.ts` compares the two.
 */
import type { Expression, ExpressionBuilder, SqlBool } from "kysely";
import { PublicError } from "./database-errors.js";
import { Room, short } from "./lists.js";
import type { Database } from "./operation.js";
import { isPostgres } from "./prefix.js";
import { raw } from "./raw.js";
import { readRow } from "./reads.js";
import { type Row, rowsOf, type Shelf } from "./shelf.js";

export interface Query {
  where: Record<string, unknown>;
  orderBy: Record<string, "asc" | "desc">;
  limit: number;
  cursor: string | null;
}

export interface Page {
  rows: Row[];
  hasMore: boolean;
  cursor: string | undefined;
}

/** @throws PublicError when it asks for a field that is not among `queryable`, or asks in a way that means nothing */
export async function queryRows(
  db: Database,
  shelf: Shelf,
  queryable: ReadonlySet<string>,
  { where, orderBy, limit, cursor }: Query,
): Promise<Page> {
  const matching = filtered(db, shelf, queryable, where);
  for (const field of Object.keys(orderBy)) {
    if (!queryable.has(field)) throw new PublicError(`Cannot order by non-indexed field '${field}'.`);
  }
  let query = matching.select((row) => ["id", short(row, "data"), "created_at"]).limit(limit + 1);
  if (cursor) {
    const { orderValue, id } = decodeCursor(cursor);
    query = query.where(raw<SqlBool>(["(created_at, id) > (", ", ", ")"], orderValue, id));
  }
  const orders = Object.entries(orderBy);
  for (const [field, direction] of orders) query = query.orderBy(raw([order(db, field)]), direction);
  if (orders.length === 0) query = query.orderBy("created_at").orderBy("id");

  const found = await query.execute();
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  const rows = await new Room().take(shown, (id) => readRow(db, { ...shelf, id }));
  const hasMore = found.length > limit;
  return { rows, hasMore, cursor: hasMore && last ? encodeCursor(last.created_at, last.id) : undefined };
}

/** @throws PublicError as {@link queryRows} */
export async function countRows(
  db: Database,
  shelf: Shelf,
  queryable: ReadonlySet<string>,
  where: Record<string, unknown>,
): Promise<number> {
  const { count } = await filtered(db, shelf, queryable, where)
    .select(({ fn }) => fn.countAll().as("count"))
    .executeTakeFirstOrThrow();
  // PostgreSQL's driver gives a text.
  return Number(count);
}

function filtered(
  db: Database,
  shelf: Shelf,
  queryable: ReadonlySet<string>,
  where: Record<string, unknown>,
) {
  for (const field of Object.keys(where)) {
    if (!queryable.has(field)) throw new PublicError(`Cannot query on non-indexed field '${field}'.`);
  }
  return rowsOf(db, shelf).where((row) =>
    row.and(Object.entries(where).map(([field, wanted]) => condition(db, row, field, wanted))),
  );
}

type Scalar = string | number | boolean | null;
type Comparison = "=" | ">" | ">=" | "<" | "<=";
// biome-ignore lint/suspicious/noExplicitAny: whichever tables; only raw expressions are compared.
type Builder = ExpressionBuilder<any, any>;

function condition(db: Database, row: Builder, field: string, wanted: unknown): Expression<SqlBool> {
  const compare = (operator: Comparison, value: Scalar) =>
    row(extract(db, field, typeof value === "number"), operator, bindable(db, value));
  if (wanted === null) return row(extract(db, field, false), "is", null);
  if (isScalar(wanted)) return compare("=", wanted);
  const filter = wanted as Record<string, unknown>;
  if (Array.isArray(filter.in) && filter.in.every(isScalar)) {
    // PostgreSQL has no empty list.
    if (filter.in.length === 0) return row.lit(false);
    const isNumeric = filter.in.every((value) => typeof value === "number");
    const values = filter.in.map((value) => bindable(db, value));
    return row(extract(db, field, isNumeric), "in", values);
  }
  if (typeof filter.startsWith === "string") {
    const pattern = `${filter.startsWith.replaceAll(/[\\%_]/g, "\\$&")}%`;
    return raw([`${extractSql(db, field, false)} LIKE `, " ESCAPE '\\'"], pattern);
  }
  const bounds = BOUNDS.flatMap(([name, operator]) => {
    const bound = filter[name];
    return isScalar(bound) ? [compare(operator, bound)] : [];
  });
  if (bounds.length === 0) throw new PublicError(`Unknown filter type for field '${field}'`);
  return row.and(bounds);
}

const BOUNDS: readonly (readonly [string, Comparison])[] = [
  ["gt", ">"],
  ["gte", ">="],
  ["lt", "<"],
  ["lte", "<="],
];

function isScalar(value: unknown): value is Scalar {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** JSON's true and false as the database's extraction gives them; better-sqlite3 binds no boolean. */
function bindable(db: Database, value: Scalar): Exclude<Scalar, boolean> {
  if (typeof value !== "boolean") return value;
  return isPostgres(db) ? String(value) : Number(value);
}

function extract(db: Database, field: string, numeric: boolean): Expression<unknown> {
  return raw([extractSql(db, field, numeric)]);
}

/** `numeric`: only what is a number in the document, compared as one. Letter for letter what EmDash's indexes are on. */
function extractSql(db: Database, field: string, numeric: boolean): string {
  const name = safe(field, "plugin storage field name");
  if (isPostgres(db)) {
    const text = `(data)::jsonb->>'${name}'`;
    if (!numeric) return text;
    return `CASE WHEN jsonb_typeof((data)::jsonb->'${name}') = 'number' THEN (${text})::numeric END`;
  }
  const value = `json_extract(data, '$.${name}')`;
  return numeric ? `CASE WHEN json_type(data, '$.${name}') IN ('integer', 'real') THEN ${value} END` : value;
}

/** By the JSON value itself, so that numbers sort as numbers. */
function order(db: Database, field: string): string {
  const name = safe(field, "plugin storage order field name");
  return isPostgres(db) ? `(data)::jsonb->'${name}'` : `json_extract(data, '$.${name}')`;
}

/** A field's name becomes part of SQL text. The manifest declared it, and manifests are not to be trusted. */
function safe(field: string, what: string): string {
  if (field === "") throw new PublicError(`${what} must be a non-empty string`);
  if (field.length > LONGEST_FIELD) {
    throw new PublicError(`${what} must be ${LONGEST_FIELD} characters or less, got ${field.length}`);
  }
  if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(field)) {
    throw new PublicError(`${what} must match /^[a-zA-Z][a-zA-Z0-9_]*$/ (got "${field}")`);
  }
  return field;
}

/** EmDash's limit for identifiers. */
const LONGEST_FIELD = 128;

function encodeCursor(orderValue: string, id: string): string {
  return Buffer.from(JSON.stringify({ orderValue, id })).toString("base64");
}

function decodeCursor(cursor: string): { orderValue: string; id: string } {
  try {
    const bytes = Uint8Array.from(atob(cursor), (letter) => letter.charCodeAt(0));
    const { orderValue, id } = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof orderValue === "string" && typeof id === "string") return { orderValue, id };
  } catch {
    // Said below, as for any other text that is no cursor.
  }
  const shown = cursor.length > 50 ? `${cursor.slice(0, 47)}...` : cursor;
  throw new PublicError(`Invalid pagination cursor: ${shown}`);
}
