/** Real databases, migrated by EmDash, for tests. Each is its own and is removed by `close()`. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { type CreateFieldInput, SchemaRegistry, type Database as Tables } from "emdash";
import { runMigrations } from "emdash/db";
import { createDialect as createPostgresDialect } from "emdash/db/postgres";
import { CompiledQuery, type Dialect, Kysely, SqliteDialect } from "kysely";
import type { Database } from "../../host/bridge/operation.js";
import { removeFolder } from "../../host/cli/remove.js";

export interface TemporaryDatabase {
  db: Database;
  /** Where another process finds it; PostgreSQL only. */
  url?: string;
  close(): Promise<void>;
}

/** A libSQL file in a folder of its own. */
export function temporaryDatabase(): Promise<TemporaryDatabase> {
  return temporaryFile((file) => new LibsqlDialect({ url: `file:${file}` }));
}

function temporaryBetterSqlite(): Promise<TemporaryDatabase> {
  return temporaryFile((file) => {
    const database = openBetterSqlite(file);
    // As EmDash opens it.
    database.pragma("journal_mode = WAL");
    database.pragma("foreign_keys = ON");
    return new SqliteDialect({ database });
  });
}

/** Files in memory, where there are any: a commit waits for no disk. */
const MEMORY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

async function temporaryFile(dialect: (file: string) => Dialect): Promise<TemporaryDatabase> {
  const folder = await mkdtemp(join(MEMORY, "emdash-sandbox-native-"));
  const db = new Kysely<Tables>({ dialect: dialect(join(folder, "site.db")) });
  await runMigrations(db);
  return {
    db,
    async close() {
      await db.destroy();
      await removeFolder(folder);
    },
  };
}

/**
 * The kinds of database to run a suite on. better-sqlite3 is among them when its native part has been built, which
 * an install without scripts does not do (`.ci/run` does; `EMDASH_TEST_BETTER_SQLITE3` may name one that was built
 * elsewhere), and PostgreSQL when `EMDASH_TEST_POSTGRES` holds the URL of a
 * server whose user may create databases; to be worth it, one that sorts by a language (`--icu-locale=en-US`).
 */
export function databaseKinds(): [kind: string, open: () => Promise<TemporaryDatabase>][] {
  const server = process.env.EMDASH_TEST_POSTGRES;
  return [
    ["libSQL", temporaryDatabase],
    ...(hasBetterSqlite ? [["better-sqlite3", temporaryBetterSqlite] satisfies Kind] : []),
    ...(server ? [["PostgreSQL", () => temporaryPostgres(server)] satisfies Kind] : []),
  ];
}

type Kind = [string, () => Promise<TemporaryDatabase>];

/** What `databaseKinds()` leaves out here, and why. */
export function missingKinds(): [kind: string, why: string][] {
  return [
    ...(hasBetterSqlite
      ? []
      : [["better-sqlite3", "its native part is not built"] satisfies [string, string]]),
    ...(process.env.EMDASH_TEST_POSTGRES
      ? []
      : [["PostgreSQL", "EMDASH_TEST_POSTGRES is not set"] satisfies [string, string]]),
  ];
}

const hasBetterSqlite = canOpenBetterSqlite();

function canOpenBetterSqlite(): boolean {
  try {
    openBetterSqlite(":memory:").close();
    return true;
  } catch {
    return false;
  }
}

function openBetterSqlite(file: string) {
  const Sqlite = createRequire(import.meta.url)("better-sqlite3");
  const nativeBinding = process.env.EMDASH_TEST_BETTER_SQLITE3;
  return new Sqlite(file, nativeBinding ? { nativeBinding } : {});
}

async function temporaryPostgres(server: string): Promise<TemporaryDatabase> {
  const name = `emdash_${randomUUID().replaceAll("-", "")}`;
  await onPostgres(server, `create database ${name}`);
  const connectionString = Object.assign(new URL(server), { pathname: name }).href;
  const db = new Kysely<Tables>({ dialect: createPostgresDialect({ connectionString }) });
  await runMigrations(db);
  return {
    db,
    url: connectionString,
    async close() {
      await db.destroy();
      await onPostgres(server, `drop database ${name}`);
    },
  };
}

async function onPostgres(connectionString: string, statement: string): Promise<void> {
  const db = new Kysely({ dialect: createPostgresDialect({ connectionString }) });
  await db.executeQuery(CompiledQuery.raw(statement));
  await db.destroy();
}

/** Creates a content collection as EmDash's admin would. */
export async function createCollection(
  db: Database,
  slug: string,
  fields: Record<string, CreateFieldInput["type"]>,
): Promise<void> {
  const inputs = Object.entries(fields).map(([field, type]) => ({ slug: field, label: field, type }));
  await new SchemaRegistry(db).createSeedCollection({ slug, label: slug }, inputs);
}

/** Writes a row of a content collection, column by column; EmDash's defaults fill the others. */
export async function insertContent(
  db: Database,
  collection: string,
  row: { id: string; [column: string]: string | number | null },
): Promise<void> {
  const tables = db as unknown as Kysely<Record<string, Record<string, unknown>>>;
  await tables.insertInto(`ec_${collection}`).values(row).execute();
}
