// Which browser the tests of the example site use: what the system has, which is what a site's editor has. Nothing is
// downloaded.
import { accessSync, constants } from "node:fs";
import process from "node:process";

const PLACES = ["/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable"];

export const NO_CHROMIUM =
  "no Chromium on this machine: install it (Debian: apt-get install chromium), or name one in EMDASH_TEST_CHROMIUM";

/** @returns {string | undefined} its path */
export function findChromium() {
  const named = process.env.EMDASH_TEST_CHROMIUM;
  return (named ? [named] : PLACES).find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
