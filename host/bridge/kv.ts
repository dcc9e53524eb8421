/** `ctx.kv`: the rows of `_plugin_storage` whose collection is `__kv`. JSON text goes through unparsed. */
import { Room } from "./lists.js";
import { operation, type PluginScope } from "./operation.js";
import { readRow } from "./reads.js";
import { listRows, removeRow, validJson, writeRow } from "./rows.js";
import { listSettings, readSetting, removeSetting, settingName, writeSetting } from "./settings.js";
import type { Row } from "./shelf.js";

export const get = operation<[key: string]>(async ({ db }, plugin, [key]) => {
  const setting = settingName(plugin, key);
  const data =
    (setting !== undefined ? await readSetting(db, setting) : undefined) ??
    (await readRow(db, { ...shelf(plugin), id: key }));
  return data === undefined ? "null" : validJson(data);
});

export const set = operation<[key: string, value: string]>(async ({ db }, plugin, [key, value]) => {
  const setting = settingName(plugin, key);
  if (setting === undefined) {
    await writeRow(db, { ...shelf(plugin), id: key, data: value });
  } else {
    await writeSetting(db, setting, value);
    // Or it would come back when somebody empties the field in the admin's form.
    await removeRow(db, { ...shelf(plugin), id: key });
  }
  return undefined;
});

export const remove = operation<[key: string]>(async ({ db }, plugin, [key]) => {
  const setting = settingName(plugin, key);
  const wasSetting = setting !== undefined && (await removeSetting(db, setting));
  const wasRow = await removeRow(db, { ...shelf(plugin), id: key });
  return JSON.stringify(wasSetting || wasRow);
});

export const list = operation<[prefix: string | null]>(async ({ db }, plugin, [given]) => {
  const prefix = given ?? "";
  const room = new Room();
  const rows = await listRows(db, room, { ...shelf(plugin), prefix });
  const settings = await listSettings(db, room, plugin, prefix);
  const entries = settings.length === 0 ? rows : merged(rows, settings);
  return `[${entries.map(({ id, data }) => `{"key":${JSON.stringify(id)},"value":${validJson(data)}}`).join(",")}]`;
});

/** In the order of code points, as the rows alone. */
function merged(rows: Row[], settings: Row[]): Row[] {
  const byId = new Map([...rows, ...settings].map((row) => [row.id, row]));
  return [...byId.values()].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
}

function shelf(plugin: PluginScope) {
  return { plugin: plugin.id, collection: "__kv" };
}
