// What both runners serve: one database file, migrated by EmDash, with fifty posts, and an origin to fetch from.
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { Kysely, SqliteDialect } from "kysely";

const POSTS = 50;

/** In memory, where there is any: what is compared is the runners, not how long a disk takes. */
const PARENT = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** The two that need no server. better-sqlite3 has a native part, which an install without scripts does not build. */
export const DATABASES = {
  libsql: (file) => new LibsqlDialect({ url: `file:${file}` }),
  "better-sqlite3": (file) => {
    const Database = createRequire(import.meta.url)("better-sqlite3");
    const database = new Database(file);
    // As EmDash opens it.
    database.pragma("journal_mode = WAL");
    database.pragma("foreign_keys = ON");
    return new SqliteDialect({ database });
  },
};

/** @param {keyof typeof DATABASES} database */
export async function openSite(database = "libsql") {
  const { handleContentCreate, SchemaRegistry } = await import("emdash");
  const { runMigrations } = await import("emdash/db");
  const folder = await mkdtemp(join(PARENT, "emdash-sandbox-bench-"));
  const db = new Kysely({ dialect: DATABASES[database](join(folder, "site.db")) });
  await runMigrations(db);
  const title = { slug: "title", label: "Title", type: "string" };
  await new SchemaRegistry(db).createSeedCollection({ slug: "posts", label: "Posts", supports: [] }, [title]);
  for (let n = 0; n < POSTS; n += 1)
    await handleContentCreate(db, "posts", { data: { title: `A post with the number ${n}` } });
  const origin = fork(fileURLToPath(new URL("./origin.mjs", import.meta.url)));
  const port = await new Promise((resolve) => origin.once("message", resolve));
  process.env.EMDASH_SANDBOX_PRIVATE_HOSTS = "127.0.0.1";
  return {
    options: {
      db,
      mediaStorage: { upload: async () => ({}), delete: async () => {} },
      siteInfo: { name: "Bench", url: "https://bench.example", locale: "en" },
    },
    origin: `http://127.0.0.1:${port}/`,
    async close() {
      origin.kill();
      await db.destroy();
      await rm(folder, { recursive: true });
    },
  };
}
