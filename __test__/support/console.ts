/** What reaches the host's console during a test. */
import { afterEach, beforeEach, vi } from "vitest";

export type Printed = { level: "debug" | "info" | "warn" | "error"; line: string };

/** The lines of the current test, in order; nothing of it goes to the terminal. */
export function useConsole(): Printed[] {
  const printed: Printed[] = [];
  beforeEach(() => {
    printed.length = 0;
    for (const level of ["debug", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation(
        (...parts) => void printed.push({ level, line: parts.join(" ") }),
      );
    }
  });
  afterEach(() => vi.restoreAllMocks());
  return printed;
}
