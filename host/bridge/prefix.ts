/**
 * "Begins with", letter for letter. LIKE will not do: it has wildcards, and SQLite's ignores the case of ASCII. A
 * comparison of ranges will not do on PostgreSQL, whose order is that of a language.
 */

import type { Expression, ExpressionBuilder, OrderByItemBuilder, SqlBool, StringReference } from "kysely";
import type { Database } from "./operation.js";
import { raw } from "./raw.js";

/** SQLite compares the bytes of UTF-8, so a range finds the rows, and finds them by the primary key. */
export function startsWith<Tables, Table extends keyof Tables>(
  db: Database,
  builder: ExpressionBuilder<Tables, Table>,
  column: StringReference<Tables, Table>,
  prefix: string,
): Expression<SqlBool> {
  if (isPostgres(db)) return builder.fn<SqlBool>("starts_with", [builder.ref(column), builder.val(prefix)]);
  const end = firstPast(prefix);
  const from = builder(column, ">=", builder.val(prefix) as never);
  return end === null ? from : builder.and([from, builder(column, "<", builder.val(end) as never)]);
}

/** The same order on every database, whatever the language that PostgreSQL sorts by. */
export function codePointOrder(db: Database): (order: OrderByItemBuilder) => OrderByItemBuilder {
  const collation = isPostgres(db) ? "C" : "binary";
  return (order) => order.collate(collation);
}

/** What comes after `last` in {@link codePointOrder}. */
export function isPast(db: Database, column: "id" | "name", last: string | undefined): Expression<SqlBool> {
  return raw([`"${column}" collate ${isPostgres(db) ? '"C"' : "binary"} > `, ""], last);
}

/** The least text that is greater than all that begin with `prefix`, in code point order; `null` when there is none. */
export function firstPast(prefix: string): string | null {
  const points = Array.from(prefix, (letter) => letter.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === LAST_CODE_POINT) continue;
    const next = last + 1 === FIRST_SURROGATE ? PAST_SURROGATES : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return null;
}

/** By how it writes a parameter: EmDash's bundle may have a copy of Kysely, so its adapter's class says nothing. */
export function isPostgres(db: Database): boolean {
  let known = dialects.get(db);
  if (known === undefined) {
    known = db.selectFrom("_plugin_storage").select("id").where("id", "=", "").compile().sql.includes("$1");
    dialects.set(db, known);
  }
  return known;
}

const dialects = new WeakMap<Database, boolean>();

const LAST_CODE_POINT = 0x10ffff;
/** A surrogate alone is no character and has no bytes in UTF-8. */
const FIRST_SURROGATE = 0xd800;
const PAST_SURROGATES = 0xe000;
