/** The rows of `ec_<collection>` as the items that plugins see. */
import type { Kysely } from "kysely";
import type { Database } from "./operation.js";

export interface ContentRow {
  id: string;
  status: string;
  created_at: string;
  updated_at: string;
  deleted_at: string | null;
  locale: string;
  version: number;
  [column: string]: unknown;
}

export type ContentItem = {
  id: string;
  type: string;
  data: Record<string, unknown>;
  createdAt: string;
  updatedAt: string;
  locale: string;
};

/** Collections are made at run time, so EmDash's `Database` type cannot name their tables. */
export function contentTables(db: Database): Kysely<Record<string, ContentRow>> {
  return db as unknown as Kysely<Record<string, ContentRow>>;
}

export function tableOf(collection: string): string {
  return `ec_${collection}`;
}

export function itemOf(collection: string, row: ContentRow): ContentItem {
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
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set([
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
