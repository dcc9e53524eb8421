/**
 * A published EmDash plugin in the sandbox: EmDash's own audit log, against a real database.
 *
 *   npm run demo                     a temporary SQLite file
 *   npm run demo -- --db site.db     a file that stays
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { handleContentCreate, handleContentDelete, handleContentUpdate, SchemaRegistry } from "emdash";
import { runMigrations } from "emdash/db";
import { createSandboxRunner } from "emdash-sandbox-native/sandbox";
import { Kysely } from "kysely";

const { values: options } = parseArgs({ options: { db: { type: "string" } } });

const folder = await mkdtemp(join(tmpdir(), "emdash-demo-"));
const file = options.db ?? join(folder, "site.db");
const db = new Kysely({ dialect: new LibsqlDialect({ url: `file:${file}` }) });
const runner = createSandboxRunner({
  db,
  siteInfo: { name: "Demo", url: "https://demo.example", locale: "en" },
});

try {
  await main();
} catch (error) {
  console.error(`\n  FAILED  ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  await step("unload everything", () => runner.terminateAll());
  await db.destroy();
  // Windows removes no open file, and libSQL closes its own late.
  await rm(folder, { recursive: true }).catch(({ message }) => console.log(`\n  left behind: ${message}`));
}

async function main() {
  heading(`A site, its database in ${options.db ?? "a temporary file"}`);
  await step("migrate with EmDash's own migrations", () => runMigrations(db));
  await step("create the collection posts", createPosts);

  heading("The plugin @emdash-cms/plugin-audit-log, in a workerd process of its own");
  check("a sandbox is available", runner.isAvailable(), runner.unavailableReason());
  const { manifest, code } = await published("@emdash-cms/plugin-audit-log");
  const plugin = await step(`load ${manifest.id} ${manifest.version}`, () => runner.load(manifest, code));
  await step("call a hook that it does not have: the first call waits for its process", () =>
    plugin.invokeHook("page:metadata", { page: { url: "/", kind: "home" } }),
  );

  heading("An editor works");
  const hello = await save(plugin, { title: "Hello" });
  const draft = await save(plugin, { title: "A draft" });
  await save(plugin, { title: "Hello, world" }, hello);
  await remove(plugin, draft);

  heading("An admin looks at the audit log");
  const { entries: recent } = await ask(plugin, "recent");
  const { entries: history } = await ask(plugin, "history?limit=50");
  const page = await ask(plugin, "admin", { type: "page_load", page: "/history" });
  for (const entry of history.slice(0, 4)) {
    console.log(
      `        ${entry.timestamp}  ${entry.action.padEnd(6)}  ${entry.collection}/${entry.resourceId}`,
    );
  }

  heading("What must be true");
  const expected = [`create ${hello}`, `create ${draft}`, `update ${hello}`, `delete ${draft}`];
  for (const [route, entries] of Object.entries({ recent, history })) {
    const told = entries.map((entry) => `${entry.action} ${entry.resourceId}`);
    const missing = expected.filter((entry) => !told.includes(entry));
    check(`${route} tells all four events`, missing.length === 0, `missing: ${missing.join(", ")}`);
  }
  const deleted = history.find((entry) => entry.action === "delete" && entry.resourceId === draft);
  const before = deleted?.changes?.before?.data?.title;
  check("the plugin read the post before it was deleted", before === "A draft", `it saw ${before}`);
  const table = page.blocks.find((block) => block.type === "table");
  check("its admin page shows every event", table?.rows.length === history.length);

  heading("On every page view EmDash asks every plugin; one without that hook should cost nothing");
  const times = 1000;
  const start = performance.now();
  for (let i = 0; i < times; i += 1)
    await plugin.invokeHook("page:metadata", { page: { url: "/", kind: "home" } });
  row(`${times} page views`, performance.now() - start);
}

/** Creates a post, or updates the one with this id, with the hooks that EmDash runs around it. Returns its id. */
async function save(plugin, data, id) {
  const isNew = id === undefined;
  return step(`${isNew ? "create" : "update"} "${data.title}"`, async () => {
    const event = { collection: "posts", isNew };
    const content = await plugin.invokeHook("content:beforeSave", { content: data, ...event });
    const { item } = isNew
      ? done(await handleContentCreate(db, "posts", { data: content }))
      : done(await handleContentUpdate(db, "posts", id, { data: content }));
    await plugin.invokeHook("content:afterSave", { content: { ...item }, ...event });
    return item.id;
  });
}

/** Deletes a post softly, unless the plugin objects. */
async function remove(plugin, id) {
  return step("delete the draft", async () => {
    const event = { id, collection: "posts" };
    const allowed = await plugin.invokeHook("content:beforeDelete", event);
    if (allowed === false) throw new Error("the plugin blocked the deletion");
    done(await handleContentDelete(db, "posts", id));
    await plugin.invokeHook("content:afterDelete", { ...event, permanent: false });
  });
}

/** Asks a route of the plugin as EmDash does for a request to its API. */
async function ask(plugin, route, input) {
  const [name] = route.split("?");
  const request = {
    url: `https://demo.example/_emdash/api/plugins/audit-log/${route}`,
    method: "POST",
    headers: {},
    meta: { ip: null, userAgent: "demo", referer: null, geo: null },
  };
  return step(`ask its route ${name}`, () => plugin.invokeRoute(name, input, request));
}

/** A plugin as npm has it: its manifest, and the source text of its sandbox entry. */
async function published(name) {
  const read = (path) => readFile(new URL(import.meta.resolve(path)), "utf8");
  const code = await read(`${name}/sandbox`);
  const manifest = await readFile(new URL("./manifest.json", import.meta.resolve(`${name}/sandbox`)), "utf8");
  return { manifest: JSON.parse(manifest), code };
}

async function createPosts() {
  const registry = new SchemaRegistry(db);
  if (await registry.getCollection("posts")) return;
  const title = { slug: "title", label: "Title", type: "string" };
  await registry.createSeedCollection({ slug: "posts", label: "Posts", supports: [] }, [title]);
}

/** The data of an EmDash result. */
function done(result) {
  if (!result.success) throw new Error(result.error.message);
  return result.data;
}

async function step(what, run) {
  const start = performance.now();
  const result = await run();
  row(what, performance.now() - start);
  return result;
}

function check(what, holds, otherwise = "") {
  if (!holds) throw new Error(`${what}: no. ${otherwise}`);
  console.log(`  yes   ${what}`);
}

function row(what, ms) {
  console.log(`  ${ms.toFixed(1).padStart(7)} ms  ${what}`);
}

function heading(text) {
  console.log(`\n${text}`);
}
