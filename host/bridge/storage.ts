/**
 * `ctx.storage.<collection>`. Single documents are our own queries, so that JSON text goes through unparsed; what
 * filters and sorts is EmDash's repository. `uniqueIndexes` only make fields queryable: EmDash enforces no uniqueness
 * in plugin storage (0.32), so neither do we.
 */
import { pluginStorageRepository } from "./emdash.js";
import { type Database, operation, type PluginScope } from "./operation.js";
import { hasRow, readRow, readRows, removeRow, removeRows, validJson, writeRow, writeRows } from "./rows.js";

export const get = operation<[collection: string, id: string]>(async ({ db }, plugin, [collection, id]) => {
  const data = await readRow(db, { plugin: plugin.id, collection, id });
  return data === undefined ? "null" : validJson(data);
});

export const put = operation<[collection: string, id: string, data: string]>(
  async ({ db }, plugin, [collection, id, data]) => {
    await writeRow(db, { plugin: plugin.id, collection, id, data });
    return undefined;
  },
);

export const remove = operation<[collection: string, id: string]>(async ({ db }, plugin, [collection, id]) =>
  JSON.stringify(await removeRow(db, { plugin: plugin.id, collection, id })),
);

export const exists = operation<[collection: string, id: string]>(async ({ db }, plugin, [collection, id]) =>
  JSON.stringify(await hasRow(db, { plugin: plugin.id, collection, id })),
);

/** Pairs rather than an object, so that an id such as `__proto__` survives. */
export const getMany = operation<[collection: string, ids: string]>(
  async ({ db }, plugin, [collection, ids]) => {
    const rows = await readRows(db, { plugin: plugin.id, collection, ids: JSON.parse(ids) as string[] });
    return `[${rows.map(({ id, data }) => `[${JSON.stringify(id)},${validJson(data)}]`).join(",")}]`;
  },
);

export const putMany = operation<[collection: string, items: string]>(
  async ({ db }, plugin, [collection, items]) => {
    const documents = JSON.parse(items) as { id: string; data: unknown }[];
    const rows = documents.map(({ id, data }) => ({ id, data: JSON.stringify(data) }));
    await writeRows(db, { plugin: plugin.id, collection, rows });
    return undefined;
  },
);

export const removeMany = operation<[collection: string, ids: string]>(
  async ({ db }, plugin, [collection, ids]) =>
    JSON.stringify(await removeRows(db, { plugin: plugin.id, collection, ids: JSON.parse(ids) as string[] })),
);

export const query = operation<
  [
    collection: string,
    where: string | null,
    orderBy: string | null,
    limit: string | null,
    cursor: string | null,
  ]
>(async ({ db }, plugin, [collection, where, orderBy, limit, cursor]) => {
  const repository = await repositoryOf(db, plugin, collection);
  const page = await repository.query({
    ...(where !== null && { where: JSON.parse(where) }),
    ...(orderBy !== null && { orderBy: JSON.parse(orderBy) }),
    ...(limit !== null && { limit: JSON.parse(limit) }),
    ...(cursor !== null && { cursor }),
  });
  return JSON.stringify(page);
});

export const count = operation<[collection: string, where: string | null]>(
  async ({ db }, plugin, [collection, where]) => {
    const repository = await repositoryOf(db, plugin, collection);
    return JSON.stringify(await repository.count(where === null ? undefined : JSON.parse(where)));
  },
);

async function repositoryOf(db: Database, plugin: PluginScope, collection: string) {
  const PluginStorageRepository = await pluginStorageRepository();
  const declared = plugin.storage[collection];
  const queryable = [...(declared?.indexes ?? []), ...(declared?.uniqueIndexes ?? [])];
  return new PluginStorageRepository(
    db,
    plugin.id,
    collection,
    queryable.map((index) => (typeof index === "string" ? index : [...index])),
  );
}
