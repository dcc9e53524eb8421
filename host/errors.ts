/** Expected failures cross from Rust as a code and a fragment; here they become the errors that EmDash expects. */

import { routeErrorOf } from "./bridge/route-errors.js";

/** EmDash's own class of this name tells it by `name`: a built server has two copies of EmDash anyway. */
export class SandboxUnavailableError extends Error {
  override readonly name = "SandboxUnavailableError";

  constructor(pluginId: string, reason: string) {
    super(`Plugin sandbox unavailable for ${pluginId}: ${reason}`);
  }
}

/** The closed set of `src/error.rs`. */
export type Failure = {
  code: string;
  message: string;
  /** Of what a handler threw: the lines of the plugin's own code, as they stand in a stack. */
  stack?: string | null;
};

/** What was being done when it failed. */
export type Attempt = {
  pluginId: string;
  /** `id:version` */
  instanceId: string;
  kind: "hook" | "route";
  name: string;
};

export function invocationError(failure: Failure, attempt: Attempt): Error {
  const error = errorOf(failure, attempt);
  if (failure.stack) prependStack(error, failure.stack);
  return error;
}

function errorOf(failure: Failure, attempt: Attempt): Error {
  const { pluginId, instanceId, kind, name } = attempt;
  const routeError = kind === "route" ? routeErrorOf(failure) : undefined;
  // As EmDash makes them itself; it goes by the code and the status.
  if (routeError) return Object.assign(new Error(routeError.message), routeError, { name: routeError.code });
  switch (failure.code) {
    case "wall_time":
    case "cpu_time":
    case "memory": {
      const limit = `${LIMITS[failure.code]} limit of ${failure.message}`;
      return new Error(`Plugin ${pluginId} exceeded ${limit} during ${kind}:${name}`);
    }
    case "unavailable":
      return new SandboxUnavailableError(instanceId, failure.message);
    default:
      return new Error(`Plugin ${instanceId} ${kind} ${name} failed: ${failure.message}`);
  }
}

/** Whoever logs the error sees the plugin's line first. */
function prependStack(error: Error, frames: string): void {
  const head = `${error.name}: ${error.message}`;
  const own = error.stack?.startsWith(head) ? error.stack.slice(head.length) : "";
  error.stack = `${head}\n${frames}${own}`;
}

const LIMITS = { wall_time: "wall-time", cpu_time: "CPU-time", memory: "memory" };

export function loadError(failure: Failure): Error {
  return new TypeError(`Plugin can't be loaded: ${failure.message}`);
}

/**
 * Why the addon could not be set up, from what its constructor threw: `<code> <fragment>`.
 *
 * @throws RangeError when the reason is an option
 */
export function systemRefusal(thrown: unknown): string {
  const [, code, fragment] = /^(\w+) (.*)$/s.exec(thrown instanceof Error ? thrown.message : "") ?? [];
  if (code === "invalid_option") throw new RangeError(`emdash-sandbox-native: ${fragment}`);
  if (code !== "unavailable") throw thrown;
  return `${fragment}. Check that the temporary folder (TMPDIR) can be written to and that the process may open files`;
}

/** Words for anything that was thrown, also for what throws when it is asked for some. */
export function explain(thrown: unknown): string {
  try {
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  } catch {
    return "a value that can't be shown";
  }
}

/** A failure of something that is not an invocation. */
export class RequestError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}
