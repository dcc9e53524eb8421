/** What reaches the host's console during a test. */
import { afterEach, beforeEach, vi } from "vitest";

export type Printed = { level: "debug" | "info" | "warn" | "error"; line: string };

/** What the development runner says of itself when it is made: suites that run on both runners do not want it. */
const OF_DEVELOPMENT = "Plugins run in miniflare, for development";

/** The lines of the current test, in order; nothing of it goes to the terminal. */
export function useConsole({ withNotice = false } = {}): Printed[] {
  const printed: Printed[] = [];
  beforeEach(() => {
    printed.length = 0;
    for (const level of ["debug", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((...parts) => {
        const line = parts.join(" ");
        if (withNotice || !line.includes(OF_DEVELOPMENT)) printed.push({ level, line });
      });
    }
  });
  afterEach(() => vi.restoreAllMocks());
  return printed;
}
