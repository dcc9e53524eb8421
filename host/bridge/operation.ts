/** What an operation of the bridge is given and what it answers. */
import type { Database as EmDashTables } from "emdash";
import type { Kysely } from "kysely";

/** The host's own Kysely: SQLite, libSQL or PostgreSQL. */
export type Database = Kysely<EmDashTables>;

/** The host's objects that operations touch. */
export interface Host {
  readonly db: Database;
}

/** The loaded plugin that calls. */
export interface PluginScope {
  readonly id: string;
  readonly version: string;
  readonly storage: Readonly<Record<string, StorageIndexes>>;
}

export interface StorageIndexes {
  readonly indexes: readonly (string | readonly string[])[];
  readonly uniqueIndexes: readonly (string | readonly string[])[];
}

/**
 * One operation. A string parameter is itself, any other is its JSON text, an absent one is `null`. The answer is JSON
 * text, or `undefined` for a method that returns nothing.
 */
export type Operation = (host: Host, plugin: PluginScope, args: Arguments) => Promise<string | undefined>;

export type Arguments = readonly (string | null)[];

/**
 * An operation that names its parameters. Rust has checked the call against its row in `src/bridge/table.rs`, which
 * the type system cannot see: the two must list the same parameters in the same order.
 */
export function operation<Named extends Arguments>(
  run: (host: Host, plugin: PluginScope, args: Named) => Promise<string | undefined>,
): Operation {
  return run as Operation;
}
