/** Where an installed package is, without loading it. */
import { createRequire } from "node:module";

/** The path that the first of these files sees under `specifier`; null when none sees it. */
export function firstResolved(specifier: string, from: readonly string[]): string | null {
  for (const file of from) {
    try {
      return createRequire(file).resolve(specifier);
    } catch {
      // Not visible from there.
    }
  }
  return null;
}
