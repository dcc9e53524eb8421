/** Calls an operation of the bridge as Rust does. */
import { EmDash, type Host, type MayWrite, operations, type PluginScope } from "../../host/bridge/index.js";
import type { Database } from "../../host/bridge/operation.js";

export type Caller = (method: string, ...args: (string | null)[]) => Promise<unknown>;

/** Answers parsed, so that a test reads like the plugin's own code; `undefined` stays itself. */
export function callerOf(
  db: Database,
  plugin: Partial<PluginScope> & { id: string },
  parts: Partial<Host> = {},
  mayWrite: MayWrite = () => true,
): Caller {
  const host = hostOn(db, parts);
  const scope: PluginScope = { version: "1.0.0", storage: {}, ...plugin };
  return async (method, ...args) => {
    const run = operations.get(method);
    if (run === undefined) throw new Error(`there is no operation ${method}`);
    const answer = await run(host, scope, args, null, mayWrite);
    if (typeof answer === "object") return { ...JSON.parse(answer.value), bytes: answer.bytes };
    return answer === undefined ? undefined : JSON.parse(answer);
  };
}

/** A host that has nothing but a database, and what `parts` names. */
export function hostOn(db: Database, parts: Partial<Host> = {}): Host {
  return {
    db,
    emdash: EmDash.installed(),
    emailSend: null,
    mediaStorage: null,
    beforeContentWrite: null,
    i18n: () => null,
    warn: (message) => {
      throw new Error(`a warning that the test did not expect: ${message}`);
    },
    ...parts,
  };
}

/** A row as somebody else may have left it. */
export async function insertRow(
  db: Database,
  row: { plugin: string; collection: string; id: string; data: string; createdAt?: string },
): Promise<void> {
  const time = row.createdAt ?? "2026-01-01T00:00:00.000Z";
  const { plugin, collection, id, data } = row;
  await db
    .insertInto("_plugin_storage")
    .values({ plugin_id: plugin, collection, id, data, created_at: time, updated_at: time })
    .execute();
}
