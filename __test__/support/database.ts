/** Real databases, migrated by EmDash, for tests. Each is its own and is removed by `close()`. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { type CreateFieldInput, SchemaRegistry, type Database as Tables } from "emdash";
import { runMigrations } from "emdash/db";
import { createDialect as createPostgresDialect } from "emdash/db/postgres";
import { CompiledQuery, type Dialect, Kysely, SqliteDialect } from "kysely";
import type { Database } from "../../host/bridge/operation.js";

export interface TemporaryDatabase {
  db: Database;
  close(): Promise<void>;
}

/** A libSQL file in a folder of its own. */
export function temporaryDatabase(): Promise<TemporaryDatabase> {
  return temporaryFile((url) => new LibsqlDialect({ url }));
}

async function temporaryFile(dialect: (url: string) => Dialect): Promise<TemporaryDatabase> {
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-native-"));
  const db = new Kysely<Tables>({ dialect: dialect(`file:${join(folder, "site.db")}`) });
  await runMigrations(db);
  return {
    db,
    async close() {
      await db.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The kinds of database to run a suite on. PostgreSQL is among them when `EMDASH_TEST_POSTGRES` holds the URL of a
 * server whose user may create databases; to be worth it, one that sorts by a language (`--icu-locale=en-US`).
 * better-sqlite3 is when `EMDASH_TEST_BETTER_SQLITE3` holds the path of its compiled addon, which our install without
 * scripts does not bring.
 */
export function databaseKinds(): [kind: string, open: () => Promise<TemporaryDatabase>][] {
  const server = process.env.EMDASH_TEST_POSTGRES;
  const betterSqlite = process.env.EMDASH_TEST_BETTER_SQLITE3;
  return [
    ["libSQL", temporaryDatabase],
    ...(betterSqlite
      ? [["better-sqlite3", () => temporaryBetterSqlite(betterSqlite)] satisfies [string, unknown]]
      : []),
    ...(server ? [["PostgreSQL", () => temporaryPostgres(server)] satisfies [string, unknown]] : []),
  ];
}

function temporaryBetterSqlite(nativeBinding: string): Promise<TemporaryDatabase> {
  const Sqlite = createRequire(import.meta.url)("better-sqlite3");
  return temporaryFile((url) => {
    const database = new Sqlite(url.slice("file:".length), { nativeBinding });
    // As EmDash opens it.
    database.pragma("journal_mode = WAL");
    database.pragma("foreign_keys = ON");
    return new SqliteDialect({ database });
  });
}

async function temporaryPostgres(server: string): Promise<TemporaryDatabase> {
  const name = `emdash_${randomUUID().replaceAll("-", "")}`;
  await onPostgres(server, `create database ${name}`);
  const connectionString = Object.assign(new URL(server), { pathname: name }).href;
  const db = new Kysely<Tables>({ dialect: createPostgresDialect({ connectionString }) });
  await runMigrations(db);
  return {
    db,
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
