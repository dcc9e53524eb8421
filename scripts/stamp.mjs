// "Is this up to date?" by content, not by time: a fresh clone and a changed branch have meaningless file times.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// In node_modules, so that removing that folder starts everything anew.
const STAMPS = "node_modules/.cache/emdash-sandbox-native";

/**
 * A hash of files and folders: their names and bytes. A path that does not exist counts as empty.
 *
 * @param {string[]} paths
 */
export function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of paths) addTo(hash, path);
  return hash.digest("hex");
}

/**
 * Makes `outputs` from `inputs`, unless both are as they were after the last time.
 *
 * @param {{ name: string, inputs: string[], outputs: string[], guarded?: string[], make: () => Promise<void> }} step
 *   `outputs` must exist, `guarded` must also have the bytes that `make` gave them: they are committed, so a checkout
 *   or an editor can change them
 */
export async function ensure({ name, inputs, outputs, guarded = [], make }) {
  const file = join(STAMPS, name);
  const before = fingerprint(inputs);
  if ([...outputs, ...guarded].every(existsSync) && read(file) === `${before} ${fingerprint(guarded)}`)
    return;
  rmSync(file, { force: true });
  await make();
  mkdirSync(STAMPS, { recursive: true });
  // The inputs as they were when the work began: what was edited meanwhile is made the next time.
  writeFileSync(file, `${before} ${fingerprint(guarded)}`);
}

/**
 * @param {import("node:crypto").Hash} hash
 * @param {string} path
 */
function addTo(hash, path) {
  if (!existsSync(path)) return;
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path).sort()) addTo(hash, join(path, name));
    return;
  }
  const bytes = readFileSync(path);
  hash.update(`${path}\0${bytes.length}\0`).update(bytes);
}

/** @param {string} file */
function read(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
