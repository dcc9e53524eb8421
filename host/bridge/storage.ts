/**
 * `ctx.storage.<collection>`. The queries are our own, so that JSON text goes through unparsed and EmDash need not be
 * imported. `uniqueIndexes` only make fields queryable: EmDash enforces no uniqueness
 * in plugin storage (0.32), so neither do we.
 */
import { operation, type PluginScope } from "./operation.js";
import { readRow } from "./reads.js";
import { hasRow, readRows, removeRow, removeRows, validJson, writeRow, writeRows } from "./rows.js";
import { countRows, queryRows } from "./storage-query.js";

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
  async ({ db }, plugin, [collection, items], _upload, mayWrite) => {
    const documents = JSON.parse(items) as { id: string; data: unknown }[];
    const rows = documents.map(({ id, data }) => ({ id, data: JSON.stringify(data) }));
    await writeRows(db, mayWrite, { plugin: plugin.id, collection, rows });
    return undefined;
  },
);

export const removeMany = operation<[collection: string, ids: string]>(
  async ({ db }, plugin, [collection, ids], _upload, mayWrite) =>
    JSON.stringify(
      await removeRows(db, mayWrite, { plugin: plugin.id, collection, ids: JSON.parse(ids) as string[] }),
    ),
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
  const {
    rows,
    hasMore,
    cursor: next,
  } = await queryRows(db, shelf(plugin, collection), queryable(plugin, collection), {
    where: JSON.parse(where ?? "{}"),
    orderBy: JSON.parse(orderBy ?? "{}"),
    limit: limit === null ? DEFAULT_LIMIT : Number(limit),
    cursor,
  });
  const items = rows.map(({ id, data }) => `{"id":${JSON.stringify(id)},"data":${validJson(data)}}`);
  const end = next === undefined ? "" : `,"cursor":${JSON.stringify(next)}`;
  return `{"items":[${items.join(",")}],"hasMore":${hasMore}${end}}`;
});

export const count = operation<[collection: string, where: string | null]>(
  async ({ db }, plugin, [collection, where]) => {
    const wanted = JSON.parse(where ?? "{}");
    return String(await countRows(db, shelf(plugin, collection), queryable(plugin, collection), wanted));
  },
);

/** As EmDash documents it. */
const DEFAULT_LIMIT = 50;

function shelf(plugin: PluginScope, collection: string) {
  return { plugin: plugin.id, collection };
}

/** The fields of every index. A unique one is an index as well. */
function queryable(plugin: PluginScope, collection: string): ReadonlySet<string> {
  const declared = plugin.storage[collection];
  return new Set([declared?.indexes ?? [], declared?.uniqueIndexes ?? []].flat(2));
}
