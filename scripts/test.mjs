// `npm test`: both halves' tests, from a fresh clone too.
import { ensureAll, ensureNewestMiniflare } from "./ensure.mjs";
import { entry } from "./run.mjs";
import { ensureSiteWherePossible } from "./site.mjs";
import { runTests } from "./tests.mjs";

await entry(async () => {
  await ensureAll();
  await ensureNewestMiniflare();
  await ensureSiteWherePossible();
  return runTests();
});
