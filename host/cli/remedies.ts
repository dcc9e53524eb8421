/** What to do when the doctor's plugin does not run. `docs/operations.md` has the same for every message. */

/** The first that fits. */
const REMEDIES: [cause: RegExp, remedy: (found: RegExpMatchArray) => string][] = [
  [/\b(EMDASH_\w+) must be /, ([, name]) => `Mend ${name}, or unset it.`],
  [
    /was not ready/,
    () =>
      "Look at the machine's load; EMDASH_SANDBOX_START_TIMEOUT_MS allows more than 5000 ms, if that is not it.",
  ],
  [
    /processor time at its start|memory at its start/,
    () => "Set the limits higher, or unset them: even an empty plugin does not start within these.",
  ],
  [
    /process ended|it never listened|channel/,
    () =>
      process.env.EMDASH_WORKERD_BIN
        ? "Let EMDASH_WORKERD_BIN name a workerd that runs here, or unset it."
        : "Look at the machine's memory. Then try EMDASH_SANDBOX_JAIL=off: whether a plugin runs so tells more. Report it, with all of this.",
  ],
  [
    /can't be started|no socket can be made|can't be enforced|can't be reached/,
    () =>
      "Look at what this user may have of open files, processes and memory, and whether TMPDIR takes files.",
  ],
];

export function remedyFor(cause: string): string {
  for (const [pattern, remedy] of REMEDIES) {
    const found = pattern.exec(cause);
    if (found) return remedy(found);
  }
  return "Report it, with all of this.";
}
