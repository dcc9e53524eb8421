// The error that a plugin sees when the host refuses a `ctx` call.

import { Error, stringifyJson } from "intrinsics.js";

/** Its text is part of the interface. */
export function refusal(method, error) {
  const thrown = new Error(`Bridge call ${method} failed: ${stringifyJson({ error })}`);
  // A route that lets such an error through answers with the host's own code and status.
  if (typeof error === "object") thrown.code = error.code;
  return thrown;
}
