/** Which miniflare to use in development, or why there is none. Resolves paths; the package is imported when needed. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Package from "miniflare";
import { firstResolved } from "../resolve.js";
import { isOlder } from "../workerd-binary.js";

/** `reason` is a sentence for the site's owner; `isInstalled` when there is a package that can't be used. */
export type FoundMiniflare = { ok: true; path: string } | { ok: false; isInstalled: boolean; reason: string };

/** The oldest that we test with: the last one for Node 20. */
export const MINIFLARE_FLOOR = "4.20260426.0";

/** The miniflare that the site sees, or else the one that this package sees. `from` are the files that see. */
export function findMiniflare(
  from: readonly string[] = [join(process.cwd(), "package.json"), import.meta.filename],
  { node }: { readonly node: string } = process.versions,
): FoundMiniflare {
  const path = firstResolved("miniflare", from);
  if (path === null) return { ok: false, isInstalled: false, reason: NOT_INSTALLED };
  const { version, engine } = manifestOf(path);
  const unusable = (reason: string): FoundMiniflare => ({ ok: false, isInstalled: true, reason });
  if (isOlder(version, MINIFLARE_FLOOR)) return unusable(tooOld(version));
  if (isOlder(node, engine)) return unusable(needsNode(version, engine, node));
  return { ok: true, path };
}

export async function importMiniflare(path: string): Promise<typeof Package> {
  return await import(pathToFileURL(path).href);
}

/** Its version, and the oldest Node that it says it runs on; what can't be read is old, and runs on any. */
function manifestOf(main: string): { version: string; engine: string } {
  try {
    // Its main file is `dist/src/index.js`.
    const manifest = JSON.parse(readFileSync(join(dirname(main), "../../package.json"), "utf8"));
    const { version, engines: { node = "" } = {} } = manifest;
    return { version: String(version), engine: /\d+(\.\d+)*/.exec(node)?.[0] ?? "0" };
  } catch {
    return { version: "of unknown version", engine: "0" };
  }
}

const NOT_INSTALLED =
  "The package miniflare is not installed. Add it to the site (npm install -D miniflare), or use WorkerdSandboxRunner.";

function tooOld(version: string): string {
  return `miniflare ${version} is too old, ${MINIFLARE_FLOOR} is the oldest that works. Update it: npm install -D miniflare@latest`;
}

function needsNode(version: string, engine: string, node: string): string {
  return (
    `miniflare ${version} needs Node ${engine} or newer, and this is ${node}. ` +
    `Use a newer Node, or the last miniflare for this one: npm install -D miniflare@${MINIFLARE_FLOOR}`
  );
}
