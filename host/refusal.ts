/** Who learns what of an operation that failed. */
import { publicMessage } from "./bridge/database-errors.js";
import { type RouteError, routeErrorOf } from "./bridge/route-errors.js";
import { explain } from "./errors.js";
import { warn } from "./log.js";

/** What a plugin is told; EmDash knows some errors by their code. `isWhole` when that is all there is to say. */
export type Refusal = (RouteError | { message: string; code?: undefined }) & { isWhole: boolean };

export function refusalOf(error: unknown, method: string): Refusal {
  const routeError = routeErrorOf(error);
  if (routeError) return { ...routeError, isWhole: true };
  const message = publicMessage(error, method);
  return { message, isWhole: error instanceof Error && error.message === message };
}

/** What the plugin may not learn, its operator must. */
export function report(error: unknown, method: string, plugin: string | undefined): void {
  try {
    warn(`${method} failed for plugin ${JSON.stringify(plugin)}: ${explain(error)}`);
  } catch {
    // A console that throws is no reason to end the host.
  }
}
