/**
 * Lists of rows. A plugin may have written more than the host can hold: what is short comes together, page by page, what is
 * long by itself, and a list ends with an error before it is longer than an answer may be.
 */
import type { AliasedExpression, ExpressionBuilder } from "kysely";
import { PublicError } from "./database-errors.js";
import type { Row } from "./shelf.js";

/** `data` is null where it is long. */
export type Found = { id: string; data: string | null };

/** Characters of a value that comes with others. A page of such is 16 MB at most. */
const MAX_SHORT = 16_384;

/** Rows of a page. */
export const PAGE = 1000;

/** Characters, and what a row takes besides: an answer may have as many bytes. */
const MAX_LISTED = 64 * 1024 * 1024;
const ROW = 64;

// biome-ignore lint/suspicious/noExplicitAny: of whichever table.
type Builder = ExpressionBuilder<any, any>;

/** As `data`, what is short in this column, and null for the rest. */
export function short(row: Builder, column: string): AliasedExpression<string | null, "data"> {
  const isShort = row(row.fn<number>("length", [column]), "<=", MAX_SHORT);
  return row.case().when(isShort).then(row.ref(column)).end().as("data");
}

/** How much more one answer may hold. */
export class Room {
  #left = MAX_LISTED;

  /**
   * The rows with all that they hold. `long` reads the value of one that is long; it may be gone meanwhile.
   *
   * @throws PublicError when there is no room for them
   */
  async take(found: readonly Found[], long: (id: string) => Promise<string | undefined>): Promise<Row[]> {
    const rows: Row[] = [];
    for (const { id, data } of found) {
      const text = data ?? (await long(id));
      if (text === undefined) continue;
      this.#left -= text.length + id.length + ROW;
      if (this.#left < 0) throw new PublicError("An answer may take at most 64 MiB: ask for less at a time");
      rows.push({ id, data: text });
    }
    return rows;
  }
}

/** All of them, as far as there is `room`. `page` reads the next {@link PAGE}, those after an id, or the first. */
export async function listAll(
  room: Room,
  page: (after: string | undefined) => Promise<readonly Found[]>,
  long: (id: string) => Promise<string | undefined>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | undefined; ; ) {
    const found = await page(after);
    rows.push(...(await room.take(found, long)));
    after = found.at(-1)?.id;
    if (found.length < PAGE || after === undefined) return rows;
    // Some clients read without waiting for anything, and others want their turn.
    await new Promise(setImmediate);
  }
}
