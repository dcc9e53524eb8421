/** `ctx.kv`: the rows of `_plugin_storage` whose collection is `__kv`. JSON text goes through unparsed. */
import { operation, type PluginScope } from "./operation.js";
import { listRows, readRow, removeRow, validJson, writeRow } from "./rows.js";

export const get = operation<[key: string]>(async ({ db }, plugin, [key]) => {
  const data = await readRow(db, { ...shelf(plugin), id: key });
  return data === undefined ? "null" : validJson(data);
});

export const set = operation<[key: string, value: string]>(async ({ db }, plugin, [key, value]) => {
  await writeRow(db, { ...shelf(plugin), id: key, data: value });
  return undefined;
});

export const remove = operation<[key: string]>(async ({ db }, plugin, [key]) =>
  JSON.stringify(await removeRow(db, { ...shelf(plugin), id: key })),
);

export const list = operation<[prefix: string | null]>(async ({ db }, plugin, [prefix]) => {
  const rows = await listRows(db, { ...shelf(plugin), prefix: prefix ?? "" });
  return `[${rows.map(({ id, data }) => `{"key":${JSON.stringify(id)},"value":${validJson(data)}}`).join(",")}]`;
});

function shelf(plugin: PluginScope) {
  return { plugin: plugin.id, collection: "__kv" };
}
