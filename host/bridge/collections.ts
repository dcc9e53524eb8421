/** What EmDash's schema says of a content collection. */
import { PublicError } from "./database-errors.js";
import type { Database } from "./operation.js";
import { prepared } from "./prepared.js";

export interface Collection {
  readonly name: string;
  readonly fields: ReadonlySet<string>;
  /** Whether an edit is kept as a draft until somebody publishes it. */
  readonly keepsRevisions: boolean;
}

/** @throws PublicError when there is no such collection */
export async function describeCollection(db: Database, name: string): Promise<Collection> {
  const { rows } = await select(db, { name });
  const [first] = rows;
  if (first === undefined) throw new PublicError(`Unknown collection: ${name}`);
  return {
    name,
    fields: new Set(rows.flatMap(({ field }) => (field === null ? [] : [field]))),
    keepsRevisions: first.supports?.includes('"revisions"') ?? false,
  };
}

const select = prepared((db, { name }: { name: string }) =>
  db
    .selectFrom("_emdash_collections as collection")
    .leftJoin("_emdash_fields as field", "field.collection_id", "collection.id")
    .where("collection.slug", "=", name)
    .select(["collection.supports", "field.slug as field"]),
);
