/** What a plugin may learn when an operation fails. */

/**
 * The text that the plugin sees. EmDash's validation errors speak about what the plugin asked for and pass; anything
 * else comes from a driver or from our own mistake, may hold SQL, paths or other plugins' values, and does not.
 */
export function publicMessage(error: unknown, method: string): string {
  if (error instanceof HiddenError) return error.shown;
  return isPublic(error) ? error.message : `Database error in ${method}`;
}

export function isPublic(error: unknown): error is Error {
  return error instanceof Error && PUBLIC_NAMES.has(error.name);
}

/** An error that is shown to the plugin as `shown`; the operator sees what it was. */
export class HiddenError extends Error {
  override readonly name = "HiddenError";
  readonly shown: string;

  constructor(shown: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.shown = shown;
  }
}

/**
 * What a plugin may know of a row that the database refused: which of its own values was wrong. `undefined` for any
 * other error.
 */
export function constraintViolation(error: unknown, collection: string): PublicError | undefined {
  for (const cause of causes(error)) {
    const { code, detail, column } = cause as { code?: unknown; detail?: unknown; column?: unknown };
    const taken =
      code === POSTGRES_UNIQUE_VIOLATION
        ? /^Key \(([\w, ]+)\)/.exec(String(detail))?.[1]
        : columnsIn(cause.message, "UNIQUE");
    if (taken !== undefined) return new PublicError(`Already in use in collection '${collection}': ${taken}`);
    const missing =
      code === POSTGRES_NOT_NULL_VIOLATION ? String(column) : columnsIn(cause.message, "NOT NULL");
    if (missing !== undefined)
      return new PublicError(`Field '${missing}' is required in collection '${collection}'`);
  }
  return undefined;
}

/** SQLite says `UNIQUE constraint failed: ec_posts.slug, ec_posts.locale`. */
function columnsIn(message: string, kind: "UNIQUE" | "NOT NULL"): string | undefined {
  const tail = message.split(`${kind} constraint failed: `)[1];
  return tail?.replaceAll(/\bec_\w+\./g, "");
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
  "ContentMutationConflictError",
  "EmailNotConfiguredError",
  "EmailRecursionError",
]);

/** Whether a query failed because its table does not exist: a content collection that nobody created. */
export function isMissingTable(error: unknown): boolean {
  return causes(error).some(
    (cause) =>
      ("code" in cause && cause.code === POSTGRES_UNDEFINED_TABLE) || cause.message.includes("no such table"),
  );
}

/** The error and what caused it. */
function causes(error: unknown): Error[] {
  const found: Error[] = [];
  let at = error;
  while (found.length < MAX_CAUSES && at instanceof Error) {
    found.push(at);
    at = at.cause;
  }
  return found;
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const POSTGRES_UNDEFINED_TABLE = "42P01";
const POSTGRES_NOT_NULL_VIOLATION = "23502";
const POSTGRES_UNIQUE_VIOLATION = "23505";

/** A driver wraps once or twice; a chain of causes may also go round. */
const MAX_CAUSES = 5;
