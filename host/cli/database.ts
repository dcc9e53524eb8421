/** A temporary SQLite database as a site has it: made by EmDash's own migrations, gone afterwards. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as EmDashDb from "emdash/db";
import type * as EmDashSeed from "emdash/seed";
import type * as KyselyPackage from "kysely";
import type { Dialect } from "kysely";
import type { Database } from "../bridge/operation.js";
import { findEmDash, importPackage, MissingPackage } from "./packages.js";
import { removeFolder, tryToRemove } from "./remove.js";
import { SAMPLE } from "./sample.js";

export interface TemporaryDatabase {
  db: Database;
  /** Where it lies, with all else that is temporary. */
  folder: string;
  /** For people: which driver, which EmDash. */
  description: string;
  close(): Promise<void>;
}

/** @throws MissingPackage when EmDash or a driver is not installed */
export async function openDatabase({ isSeeded }: { isSeeded: boolean }): Promise<TemporaryDatabase> {
  const emdash = findEmDash();
  if (emdash === null) throw new MissingPackage(NO_EMDASH);
  const folder = temporaryFolder();
  const stopListening = removeOnSignal(folder);
  const close = async (db?: Database) => {
    await db?.destroy();
    await removeFolder(folder);
    stopListening();
  };
  try {
    const { driver, dialect } = await openDialect(join(folder, "site.db"), emdash.main);
    const { Kysely } = await importPackage<typeof KyselyPackage>("kysely", emdash.main);
    const db: Database = new Kysely({ dialect });
    const { runMigrations } = await importPackage<typeof EmDashDb>("emdash/db", emdash.main);
    await runMigrations(db);
    if (isSeeded) {
      const { applySeed } = await importPackage<typeof EmDashSeed>("emdash/seed", emdash.main);
      await applySeed(db, SAMPLE, { includeContent: true });
    }
    const description = `a temporary database (${driver}, EmDash ${emdash.version}${isSeeded ? ", with sample content" : ""})`;
    return { db, folder, description, close: () => close(db) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In memory where there is any, unless TMPDIR names a place: EmDash has some 50 migrations, each waiting for the disk. */
function temporaryFolder(): string {
  const parents = process.env.TMPDIR ? [] : [MEMORY];
  for (const parent of parents) {
    try {
      return mkdtempSync(join(parent, PREFIX));
    } catch {
      // Not everywhere, and not for everybody.
    }
  }
  return mkdtempSync(join(tmpdir(), PREFIX));
}

const MEMORY = "/dev/shm";

const PREFIX = "emdash-sandbox-run-";

type Opened = { driver: string; dialect: Dialect };

/** The first that can be opened of those that an EmDash site may have. */
async function openDialect(file: string, emdash: string): Promise<Opened> {
  const why: string[] = [];
  for (const [driver, open] of DRIVERS) {
    try {
      return { driver, dialect: await open(file, emdash) };
    } catch (error) {
      const [message] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
      why.push(error instanceof MissingPackage ? `${driver} is not installed` : `${driver}: ${message}`);
    }
  }
  throw new MissingPackage(`${NO_DRIVER} (${why.join("; ")})`);
}

type LibsqlPackage = { LibsqlDialect: new (config: { url: string }) => Dialect };
type SqlitePackage = {
  default: new (file: string) => KyselyPackage.SqliteDatabase & { pragma(text: string): void };
};

const DRIVERS: [driver: string, open: (file: string, emdash: string) => Promise<Dialect>][] = [
  [
    "libSQL",
    async (file, emdash) => {
      const { LibsqlDialect } = await importPackage<LibsqlPackage>("@libsql/kysely-libsql", emdash);
      return new LibsqlDialect({ url: `file:${file}` });
    },
  ],
  [
    "better-sqlite3",
    async (file, emdash) => {
      const { default: Sqlite } = await importPackage<SqlitePackage>("better-sqlite3", emdash);
      const { SqliteDialect } = await importPackage<typeof KyselyPackage>("kysely", emdash);
      // Throws where its native part has not been built, as after an install without scripts.
      const database = new Sqlite(file);
      // As EmDash opens it.
      database.pragma("journal_mode = WAL");
      database.pragma("foreign_keys = ON");
      return new SqliteDialect({ database });
    },
  ],
];

/** Whoever interrupts the command leaves nothing behind; the signal then does what it always does. */
function removeOnSignal(folder: string): () => void {
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    const listener = () => {
      tryToRemove(folder);
      process.kill(process.pid, signal);
    };
    process.once(signal, listener);
    return () => void process.removeListener(signal, listener);
  });
  return () => {
    for (const remove of listeners) remove();
  };
}

const NO_EMDASH =
  "EmDash is not installed here, whose migrations make the database. Install it: npm install -D emdash kysely";

const NO_DRIVER =
  "there is no SQLite driver. Install one: npm install -D @libsql/client @libsql/kysely-libsql, or npm rebuild better-sqlite3 --ignore-scripts=false";
