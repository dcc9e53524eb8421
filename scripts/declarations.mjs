// Of the declarations that tsc writes beside each file, those that a user of the package can come to: the others would be
// shipped for nobody.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Removes each `.d.ts` in the folder that none of the entries leads to.
 *
 * @param {string} folder
 * @param {string[]} entries
 */
export function removeUnreachable(folder, entries) {
  const reached = reachable(entries);
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = join(folder, path);
    if (file.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
  }
}

/**
 * @param {string[]} entries
 * @returns {Set<string>}
 */
export function reachable(entries) {
  /** @type {Set<string>} */
  const reached = new Set();
  const left = [...entries];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (reached.has(file) || !existsSync(file)) continue;
    reached.add(file);
    // As tsc writes them: of another file, and of a type within a type.
    for (const [, path = ""] of readFileSync(file, "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      left.push(join(dirname(file), path).replace(/\.js$/, ".d.ts"));
    }
  }
  return reached;
}
