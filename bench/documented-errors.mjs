// What a call may fail with, as docs/supervision.md says. For those who must know of every failure: the soak, and tests.

/** After `Plugin sandbox unavailable for <id>:<version>: `. */
const UNAVAILABLE = [
  /^it was unloaded$/,
  /^it was unloaded, and this call did not end in time$/,
  /^its process ended with (exit code \d+|signal \d+)(: .*)?$/,
  /^(.+|its) (CPU-time|memory) limit of .+$/,
  /^it used more than \d+ (s of processor time|MB of memory) at its start$/,
  /^\d+ calls of it are under way or wait, and it takes no more$/,
  /^its process was not ready in time$/,
  /^it was not ready after \d+ ms$/,
  /^it never listened$/,
  /^it (threw at its start: .*|has no default export with hooks and routes)$/,
  /^its (channel closed|channel can't be opened: .*|process can't be reached: .*|process can't be started: .*)$/,
  /^it (sent .*|took no large frame: .*|does not read what it asked for)$/,
];

/** What a circuit breaker that is open adds to the reason. */
const BREAKER = /; it failed too often, so the next try is in \d+ s$/;

/**
 * @param {unknown} error
 * @returns {boolean}
 */
export function isDocumented(error) {
  if (!(error instanceof Error)) return false;
  if (
    /^Plugin \S+ exceeded (wall-time|CPU-time|memory) limit of .+ during (hook|route):\S+$/.test(
      error.message,
    )
  )
    return true;
  const [, reason] = /^Plugin sandbox unavailable for [^ ]+:[^ :]+: (.*)$/s.exec(error.message) ?? [];
  if (error.name !== "SandboxUnavailableError" || reason === undefined) return false;
  return UNAVAILABLE.some((text) => text.test(reason.replace(BREAKER, "")));
}
