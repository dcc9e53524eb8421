/** A published plugin, unchanged, through all of it: the main job of this package. */
import { readFileSync } from "node:fs";
import { handleContentCreate, handleContentDelete, handleContentUpdate } from "emdash";
import { beforeAll, describe, expect, it } from "vitest";
import type { SandboxedPlugin } from "../host/plugin.js";
import { useConsole } from "./support/console.js";
import { createCollection } from "./support/database.js";
import { ask, loadPlugin, makeRunner, REQUEST, useDatabase } from "./support/runner.js";
import { until } from "./support/until.js";

const CODE = readFileSync(new URL(import.meta.resolve("@emdash-cms/plugin-audit-log/sandbox")), "utf8");
const MANIFEST = JSON.parse(
  readFileSync(
    new URL("./manifest.json", import.meta.resolve("@emdash-cms/plugin-audit-log/sandbox")),
    "utf8",
  ),
);

type Entry = { timestamp: string; action: string; resourceId: string; collection: string; changes?: Changes };
type Changes = { before?: { data: { title: string } }; after?: { title: string } };
type History = { entries: Entry[]; hasMore: boolean };

// The name in the plugin's own manifest, and the one from before EmDash renamed its capabilities.
describe.each(["content:read", "read:content"])("the audit log with the capability %s", (capability) => {
  const printed = useConsole();
  const site = useDatabase();
  beforeAll(() => createCollection(site.db, "posts", { title: "string" }));

  function load(): Promise<SandboxedPlugin> {
    return loadPlugin(makeRunner({ db: site.db }), CODE, { ...MANIFEST, capabilities: [capability] });
  }

  /** Creates a post, or updates the one with this id, with the hooks that EmDash runs around it. */
  async function save(plugin: SandboxedPlugin, title: string, id?: string): Promise<string> {
    const event = { collection: "posts", isNew: id === undefined };
    const content = id === undefined ? { title } : { title, id };
    expect(await plugin.invokeHook("content:beforeSave", { content, ...event })).toEqual(content);
    const saved =
      id === undefined
        ? await handleContentCreate(site.db, "posts", { data: { title } })
        : await handleContentUpdate(site.db, "posts", id, { data: { title } });
    if (!saved.success) throw new Error(saved.error.message);
    const { item } = saved.data;
    expect(await plugin.invokeHook("content:afterSave", { content: { ...item }, ...event })).toBeUndefined();
    return item.id;
  }

  async function remove(plugin: SandboxedPlugin, id: string): Promise<void> {
    const event = { id, collection: "posts" };
    expect(await plugin.invokeHook("content:beforeDelete", event)).toBe(true);
    await handleContentDelete(site.db, "posts", id);
    await plugin.invokeHook("content:afterDelete", { ...event, permanent: false });
  }

  it("sees a post created, changed and deleted, with what it held before each", async () => {
    const plugin = await load();
    const id = await save(plugin, "Hello");
    await save(plugin, "Hello, world", id);
    await remove(plugin, id);

    const { entries, hasMore } = (await ask(plugin, undefined, "history")) as History;
    expect(hasMore).toBe(false);
    expect(entries.map(({ action }) => action).sort()).toEqual(["create", "delete", "update"]);
    const changes = Object.fromEntries(entries.map((entry) => [entry.action, entry.changes]));
    expect(changes.create).toMatchObject({ after: { title: "Hello" } });
    expect(changes.update).toMatchObject({
      before: { data: { title: "Hello" } },
      after: { title: "Hello, world" },
    });
    expect(changes.delete).toMatchObject({ before: { data: { title: "Hello, world" } } });
    for (const entry of entries) expect(entry).toMatchObject({ resourceId: id, collection: "posts" });

    // It logs without awaiting, as EmDash's own examples do.
    const lines = ["+ create", "~ update", "- delete"].map(
      (what) => `[plugin:audit-log] ${what} content/posts/${id}`,
    );
    await until(() => printed.length >= 3, "three lines logged");
    expect(printed).toEqual(lines.map((line) => ({ level: "info", line })));
  });

  it("answers its three routes to the admin, which reads its storage in order and page by page", async () => {
    const plugin = await load();
    for (const title of ["one", "two", "three", "four", "five", "six"]) await save(plugin, title);

    const recent = (await ask(plugin, undefined, "recent")) as { entries: Entry[] };
    const times = recent.entries.map(({ timestamp }) => timestamp);
    expect(times).toHaveLength(5);
    expect(times).toEqual([...times].sort().reverse());

    const url = `${REQUEST.url}?limit=2`;
    const history = (await plugin.invokeRoute("history", undefined, { ...REQUEST, url })) as History;
    expect(history).toMatchObject({ hasMore: true, cursor: expect.any(String) });
    expect(history.entries).toHaveLength(2);

    const page = await ask(plugin, { type: "page_load", page: "/history" }, "admin");
    const rows = expect.arrayContaining([expect.objectContaining({ action: "create", collection: "posts" })]);
    expect(page).toMatchObject({ blocks: expect.arrayContaining([expect.objectContaining({ rows })]) });
  });
});
