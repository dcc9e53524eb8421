/** The version of a package as its package.json says it, without importing the package. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** `null` when nobody can tell: bundled, or laid out in another way. For a package whose main file is in `dist/`. */
export function installedVersion(name: string): string | null {
  try {
    const main = createRequire(import.meta.url).resolve(name);
    const manifest = JSON.parse(readFileSync(join(dirname(main), "..", "package.json"), "utf8"));
    const isIt = manifest.name === name && /^\d+\.\d+\./.test(manifest.version);
    return isIt ? manifest.version : null;
  } catch {
    return null;
  }
}
