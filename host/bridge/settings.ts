/**
 * Keys of `ctx.kv` that begin with `settings:`. The admin's form writes a plugin's settings into the table `options`,
 * so that is where they are. Other runners have kept them with all other keys; such a row counts until it is replaced.
 */
import { listAll, PAGE, type Room, short } from "./lists.js";
import type { Database, PluginScope } from "./operation.js";
import { codePointOrder, isPast, startsWith } from "./prefix.js";
import { prepared } from "./prepared.js";
import type { Row } from "./shelf.js";

const SETTINGS = "settings:";

/** What `key` is called in `options`, or undefined when it is no setting. */
export function settingName(plugin: PluginScope, key: string): string | undefined {
  if (!key.startsWith(SETTINGS)) return undefined;
  const shelf = shelfOf(plugin);
  return shelf === undefined ? undefined : shelf + key;
}

/** EmDash's own ids have no colon. One that has could be read as another plugin's id and the begin of a key. */
function shelfOf({ id }: PluginScope): string | undefined {
  return id.includes(":") ? undefined : `plugin:${id}:`;
}

/** JSON text, or undefined. */
export async function readSetting(db: Database, name: string): Promise<string | undefined> {
  const { rows } = await select(db, { name });
  return rows[0]?.value;
}

const select = prepared((db, { name }: { name: string }) =>
  db.selectFrom("options").where("name", "=", name).select("value"),
);

export async function writeSetting(db: Database, name: string, value: string): Promise<void> {
  await upsert(db, { name, value });
}

const upsert = prepared((db, row: { name: string; value: string }) =>
  db
    .insertInto("options")
    .values(row)
    .onConflict((conflict) =>
      conflict.column("name").doUpdateSet(({ ref }) => ({ value: ref("excluded.value") })),
    ),
);

/** Whether there was one. */
export async function removeSetting(db: Database, name: string): Promise<boolean> {
  const { numAffectedRows } = await remove(db, { name });
  return Number(numAffectedRows ?? 0) > 0;
}

const remove = prepared((db, { name }: { name: string }) =>
  db.deleteFrom("options").where("name", "=", name),
);

/** Those whose key begins with `prefix`, by their keys. */
export async function listSettings(
  db: Database,
  room: Room,
  plugin: PluginScope,
  prefix: string,
): Promise<Row[]> {
  const shelf = shelfOf(plugin);
  if (shelf === undefined || !(prefix.startsWith(SETTINGS) || SETTINGS.startsWith(prefix))) return [];
  const name = shelf + (prefix.length > SETTINGS.length ? prefix : SETTINGS);
  const page = (after: string | undefined) =>
    db
      .selectFrom("options")
      .where((row) => startsWith(db, row, "name", name))
      .$if(after !== undefined, (query) => query.where(isPast(db, "name", after)))
      .select((row) => ["name as id", short(row, "value")])
      .orderBy("name", codePointOrder(db))
      .limit(PAGE)
      .execute();
  const rows = await listAll(room, page, (name) => readSetting(db, name));
  return rows.map(({ id, data }) => ({ id: id.slice(shelf.length), data }));
}
