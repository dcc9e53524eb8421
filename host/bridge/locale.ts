/** The locale of a new content entry. */
import { PublicError } from "./database-errors.js";
import type { Host } from "./operation.js";

/** @throws PublicError when the site does not have the locale that was asked for */
export async function createLocale(host: Host, asked: string | null): Promise<string> {
  const site = host.i18n();
  // What most plugins do needs nothing of EmDash's.
  if (asked === null) return site?.defaultLocale ?? "en";
  const resolve = await host.emdash.resolveContentCreateLocale();
  if (resolve === undefined) return configured(asked, site?.locales);
  try {
    return resolve(asked, site);
  } catch (error) {
    throw new PublicError(error instanceof Error ? error.message : `Invalid locale code: "${asked}"`);
  }
}

/** For an EmDash that has no such function: the same rule and, since plugins see them, the same texts. */
function configured(asked: string, locales: readonly string[] | undefined): string {
  if (!LOCALE.test(asked)) throw new PublicError(`Invalid locale code: "${asked}"`);
  if (locales === undefined) return asked;
  const known = locales.find((locale) => locale.toLowerCase() === asked.toLowerCase());
  if (known === undefined) throw new PublicError(`Locale "${asked}" is not configured for this site`);
  return known;
}

/** A language of two or three letters and subtags of two to eight characters, which is what EmDash takes. */
const LOCALE = /^[a-z]{2,3}(?:-[a-z\d]{2,8})*$/i;
