/** Packages of the author's or the site's, as seen from the working folder, or else from here. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { firstResolved } from "../resolve.js";

/** What is missing, and how to have it. */
export class MissingPackage extends Error {}

const FROM = [join(process.cwd(), "package.json"), import.meta.filename];

/** The main file and the version of `emdash`; null when it is not installed. */
export function findEmDash(): { main: string; version: string } | null {
  const main = firstResolved("emdash", FROM);
  if (main === null) return null;
  const manifest = JSON.parse(readFileSync(join(dirname(main), "../package.json"), "utf8"));
  return { main, version: String((manifest as { version?: unknown }).version) };
}

/**
 * Imports a package that `emdash` may bring itself.
 *
 * @throws MissingPackage when nobody sees it
 */
export async function importPackage<Exports>(specifier: string, emdash: string): Promise<Exports> {
  const path = firstResolved(specifier, [emdash, ...FROM]);
  if (path === null) throw new MissingPackage(specifier);
  return (await import(pathToFileURL(path).href)) as Exports;
}
