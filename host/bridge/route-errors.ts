/**
 * Errors of the host that keep their code and status all the way: out of `beforeContentWrite`, through the plugin's
 * code, and out of its route. EmDash (0.34 and newer) knows two, and tells them by their code.
 */
export type RouteErrorCode = "MEDIA_USAGE_ACTIVATION_IN_PROGRESS" | "MEDIA_USAGE_ACTIVATION_CHECK_FAILED";

export interface RouteError {
  code: RouteErrorCode;
  message: string;
  status: typeof STATUS;
}

/** The error as EmDash words it, or undefined when it is another one. */
export function routeErrorOf(error: unknown): RouteError | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code, name, status } = error as { code?: unknown; name?: unknown; status?: unknown };
  if (status !== undefined && status !== STATUS) return undefined;
  const named = isCode(name) ? name : undefined;
  const coded = isCode(code) ? code : undefined;
  if (named && coded && named !== coded) return undefined;
  const known = coded ?? named;
  return known && { code: known, message: MESSAGES[known], status: STATUS };
}

function isCode(text: unknown): text is RouteErrorCode {
  return typeof text === "string" && Object.hasOwn(MESSAGES, text);
}

const STATUS = 503;

/** Part of the interface. */
const MESSAGES: Readonly<Record<RouteErrorCode, string>> = {
  MEDIA_USAGE_ACTIVATION_IN_PROGRESS: "Media usage activation is in progress",
  MEDIA_USAGE_ACTIVATION_CHECK_FAILED: "Unable to verify media usage activation state",
};
