// `npm run build`: what the packages ship, with the platform package's folder filled.
import { ensureAll, fillPlatformFolder } from "./ensure.mjs";
import { entry } from "./run.mjs";

await entry(async () => {
  await ensureAll();
  // A platform that we do not publish for can still build and test.
  fillPlatformFolder();
  return 0;
});
