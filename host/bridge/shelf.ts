/** Where rows of `_plugin_storage` are found. */
import type { Database } from "./operation.js";

/** Some rows of one plugin. */
export type Shelf = { plugin: string; collection: string };
export type Key = Shelf & { id: string };
export type Row = { id: string; data: string };

export function rowsOf(db: Database, shelf: Shelf) {
  return db
    .selectFrom("_plugin_storage")
    .where("plugin_id", "=", shelf.plugin)
    .where("collection", "=", shelf.collection);
}
