/** What a plugin may learn when an operation fails. */

/**
 * The text that the plugin sees. EmDash's validation errors speak about what the plugin asked for and pass; anything
 * else comes from a driver or from our own mistake, may hold SQL, paths or other plugins' values, and does not.
 */
export function publicMessage(error: unknown, method: string): string {
  const isPublic = error instanceof Error && PUBLIC_NAMES.has(error.name);
  return isPublic ? error.message : `Database error in ${method}`;
}

/** An error of ours whose text is meant for the plugin. */
export class PublicError extends Error {
  override readonly name = "PublicError";
}

/** By name, because a built server has two copies of EmDash and so two classes of each. */
const PUBLIC_NAMES: ReadonlySet<string> = new Set([
  "PublicError",
  "StorageQueryError",
  "InvalidCursorError",
  "IdentifierError",
  "EmDashValidationError",
]);

/** Whether a query failed because its table does not exist: a content collection that nobody created. */
export function isMissingTable(error: unknown): boolean {
  let at = error;
  for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth += 1) {
    if ("code" in at && at.code === POSTGRES_UNDEFINED_TABLE) return true;
    if (at.message.includes("no such table")) return true;
    at = at.cause;
  }
  return false;
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const POSTGRES_UNDEFINED_TABLE = "42P01";

/** A driver wraps once or twice; a chain of causes may also go round. */
const MAX_CAUSES = 5;
