/** What an operation of the bridge is given and what it answers. */
import type { Database as EmDashTables, I18nConfig, SandboxEmailSendCallback, SandboxOptions } from "emdash";
import type { Kysely } from "kysely";
import { PublicError } from "./database-errors.js";
import type { EmDash } from "./emdash.js";

/** The host's own Kysely: SQLite, libSQL or PostgreSQL. */
export type Database = Kysely<EmDashTables>;

/** The host's objects that operations touch. */
export interface Host {
  readonly db: Database;
  /** Parts of EmDash's own code, imported when an operation first needs one. */
  readonly emdash: EmDash;
  readonly emailSend: SandboxEmailSendCallback | null;
  readonly mediaStorage: MediaStorage | null;
  /** Awaited right before content is written; it throws when content must not be written now. EmDash 0.34 and newer. */
  readonly beforeContentWrite: (() => Promise<void>) | null;
  /** The site's locales, or null when it has only one. */
  i18n(): I18nConfig | null;
  /** A line for the operator. */
  warn(message: string): void;
}

export type MediaStorage = NonNullable<SandboxOptions["mediaStorage"]> & {
  /** Newer than EmDash 0.34. */
  download?(key: string): Promise<{ body: ReadableStream<Uint8Array> }>;
};

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
 * One operation. A string parameter is itself, any other is its JSON text, an absent one is `null`.
 */
export type Operation = (
  host: Host,
  plugin: PluginScope,
  args: Arguments,
  /** The bytes of a file that the call brings. */
  upload: Uint8Array | null,
  mayWrite: MayWrite,
) => Promise<Answer>;

/**
 * Whether the hook or route that made the call has time left, and its plugin has not been unloaded. To be asked before
 * anything is written, after whatever was waited for. Rust answers those that `Method::writes_late` lists, and no others.
 */
export type MayWrite = () => boolean;

/** @throws PublicError when it may not */
export function assertMayWrite(mayWrite: MayWrite): void {
  if (!mayWrite()) throw new PublicError("the hook or route that made this call is over");
}

/** JSON text, or `undefined` for a method that returns nothing; with bytes, which become the value's member `bytes`. */
export type Answer = string | undefined | { value: string; bytes: Uint8Array };

export type Arguments = readonly (string | null)[];

/**
 * An operation that names its parameters. Rust has checked the call against its row in `src/bridge/table.rs`, which
 * the type system cannot see: the two must list the same parameters in the same order.
 */
export function operation<Named extends Arguments>(
  run: (
    host: Host,
    plugin: PluginScope,
    args: Named,
    upload: Uint8Array | null,
    mayWrite: MayWrite,
  ) => Promise<Answer>,
): Operation {
  return run as Operation;
}
