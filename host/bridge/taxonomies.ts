/** `ctx.taxonomies`: how a site sorts its content. */
import { type Database, operation } from "./operation.js";

export const list = operation<[locale: string | null]>(async ({ db }, _plugin, [locale]) => {
  let query = db.selectFrom("_emdash_taxonomy_defs").selectAll().orderBy("name").orderBy("locale");
  if (locale !== null) query = query.where("locale", "=", locale);
  const rows = await query.execute();
  const definitions = rows.map((row) => ({
    name: row.name,
    label: row.label,
    labelSingular: row.label_singular,
    hierarchical: row.hierarchical === 1,
    collections: texts(row.collections),
    locale: row.locale,
  }));
  return JSON.stringify(definitions);
});

/** In the order that an editor gave them, where this EmDash has one. */
export const terms = operation<[taxonomy: string, locale: string | null]>(
  async ({ db }, _plugin, [taxonomy, locale]) => {
    let query = db.selectFrom("taxonomies").selectAll().where("name", "=", taxonomy);
    if (locale !== null) query = query.where("locale", "=", locale);
    if (await hasManualOrder(db)) query = query.orderBy(MANUAL_ORDER);
    const rows = await query.orderBy("label").orderBy("id").execute();
    return JSON.stringify(rows.map(termOf));
  },
);

/** An assignment names a translation group, which stands for a term in each locale. */
export const entryTerms = operation<
  [collection: string, entryId: string, taxonomy: string | null, locale: string | null]
>(async ({ db }, _plugin, [collection, entryId, taxonomy, locale]) => {
  let query = db
    .selectFrom("content_taxonomies as assigned")
    .innerJoin("taxonomies as term", "term.translation_group", "assigned.taxonomy_id")
    .where("assigned.collection", "=", collection)
    .where("assigned.entry_id", "=", entryId)
    .selectAll("term")
    .orderBy("term.locale")
    .orderBy("term.name");
  if (taxonomy !== null) query = query.where("term.name", "=", taxonomy);
  if (locale !== null) query = query.where("term.locale", "=", locale);
  if (await hasManualOrder(db)) query = query.orderBy(`term.${MANUAL_ORDER}` as "term.label");
  const rows = await query.orderBy("term.label").orderBy("term.id").execute();
  return JSON.stringify(rows.map(termOf));
});

interface TermRow {
  id: string;
  name: string;
  slug: string;
  label: string;
  parent_id: string | null;
  data: string | null;
  locale: string;
  translation_group: string | null;
}

function termOf(row: TermRow) {
  return {
    id: row.id,
    taxonomy: row.name,
    slug: row.slug,
    label: row.label,
    parentId: row.parent_id,
    data: record(row.data),
    locale: row.locale,
    translationGroup: row.translation_group,
  };
}

/** A column that EmDash 0.32 does not have, so its types don't either. */
const MANUAL_ORDER = "sort_order" as "label";

/** Asked once for each database: a migration needs a new server. */
async function hasManualOrder(db: Database): Promise<boolean> {
  let answer = manualOrders.get(db);
  if (answer === undefined) {
    const tables = await db.introspection.getTables();
    const columns = tables.find(({ name }) => name === "taxonomies")?.columns ?? [];
    answer = columns.some(({ name }) => name === "sort_order");
    manualOrders.set(db, answer);
  }
  return answer;
}

const manualOrders = new WeakMap<Database, boolean>();

function texts(json: string | null): string[] {
  const value = parsed(json);
  return Array.isArray(value) ? value.filter((element) => typeof element === "string") : [];
}

function record(json: string | null): Record<string, unknown> | null {
  const value = parsed(json);
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? (value as Record<string, unknown>) : null;
}

/** What is no JSON is nothing: somebody else wrote it, and a plugin can't mend it. */
function parsed(json: string | null): unknown {
  try {
    return JSON.parse(json ?? "null");
  } catch {
    return null;
  }
}
