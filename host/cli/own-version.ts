/** The version of this package, from its own package.json. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export function ownVersion(): string {
  // Also on a Node that is too old for the rest: the doctor must be able to say so.
  const manifest = readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
