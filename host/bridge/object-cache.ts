/** EmDash's cache of query results, where a site has one. */
import type { Host } from "./operation.js";

/** To be called when a write is committed: before it, somebody could cache what is about to change. */
export async function forgetCollection(host: Host, collection: string): Promise<void> {
  if (!hasCache()) return;
  const invalidate = await host.emdash.invalidateCollectionCache();
  invalidate?.(collection);
}

/**
 * Every copy of EmDash keeps its cache under this symbol. One that the site has not set up yet holds nothing; and were
 * it first used from our copy, which has no access to the site's configuration, it would stay off for the site, too.
 */
function hasCache(): boolean {
  const holder = (globalThis as Record<symbol, unknown>)[Symbol.for("emdash:object-cache:backend")];
  const { initialized, backend } = (holder ?? {}) as { initialized?: unknown; backend?: unknown };
  return initialized === true && backend !== null && backend !== undefined;
}
