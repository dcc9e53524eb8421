// Calls to plugins that have been running for a while.
import { CompiledQuery } from "kysely";
import { calls } from "../lib/measure.mjs";

const LARGE = "x".repeat(100_000);

/** So many that the slower takes about a second. */
const warm = (id, title, count, call, options) => ({
  id,
  title,
  run: async (subject) => {
    const { workerds } = subject;
    await calls((n) => call(subject, n), { count: Math.ceil(count / 5), depth: options?.depth });
    return calls((n) => call(subject, n), { count, workerds, ...options });
  },
});

const hook = (name, event) => (subject, n) => subject.plugins[0].invokeHook(name, event(subject, n));
const byNumber = (_, n) => ({ n });

/** The floor can only echo: what it is asked is as long as the event. */
const orEcho = (call, text) => (subject, n) => (subject.echo ? subject.echo(text) : call(subject, n));

/** The host itself, with queries that it keeps: the floor of a runner that makes one query for each read of a plugin's. */
const orDatabase = (call, queries) => (subject, n) =>
  subject.db ? queries(subject.db, n) : call(subject, n);

const read = (db) =>
  db.executeQuery(
    CompiledQuery.raw("select data from _plugin_storage where plugin_id = ? and collection = ? and id = ?", [
      "bench-floor",
      "__kv",
      "n",
    ]),
  );

const write = (db, n) =>
  db.executeQuery(
    CompiledQuery.raw(
      `insert into _plugin_storage (plugin_id, collection, id, data, created_at, updated_at) values (?, ?, ?, ?, ?, ?)
       on conflict (plugin_id, collection, id) do update set data = excluded.data, updated_at = excluded.updated_at`,
      ["bench-floor", "__kv", "n", `${n}`, "2026-01-01", "2026-01-01"],
    ),
  );

export const callRows = [
  warm("noop", "no-op hook, one by one", 2000, orEcho(hook("noop", byNumber), '{"n":1}')),
  warm("noop32", "no-op hook, 32 at once", 6000, orEcho(hook("noop", byNumber), '{"n":1}'), { depth: 32 }),
  warm(
    "large",
    "event of 100 KB",
    300,
    orEcho(
      hook("size", () => ({ text: LARGE })),
      LARGE,
    ),
  ),
  warm(
    "kv",
    "hook with a KV set and get",
    300,
    orDatabase(hook("kv", byNumber), async (db, n) => {
      await write(db, n);
      return read(db);
    }),
  ),
  warm(
    "readsInARow",
    "20 KV reads, one after another",
    60,
    orDatabase(hook("readsInARow", byNumber), async (db) => {
      for (let n = 0; n < 20; n += 1) await read(db);
    }),
  ),
  warm(
    "readsAtOnce",
    "20 KV reads at once",
    60,
    orDatabase(hook("readsAtOnce", byNumber), (db) =>
      Promise.all(Array.from({ length: 20 }, () => read(db))),
    ),
  ),
  ...[
    warm("route", "route", 1000, (subject, n) => subject.route(subject.plugins[0], { n })),
    warm("list", "content list of 50", 100, hook("list", byNumber)),
    warm("upload", "upload of 5 MB", 5, hook("upload", byNumber)),
    warm(
      "fetch",
      "fetch of 5 MB",
      10,
      hook("fetch", ({ site }) => ({ origin: site.origin })),
    ),
    warm("pageView", "a page view: a hook that none of ten plugins has", 100, async ({ plugins }) => {
      for (const plugin of plugins) await plugin.invokeHook("page:metadata", { page: { url: "/" } });
    }),
  ].map((row) => ({ ...row, who: ["peer", "ours"] })),
];
