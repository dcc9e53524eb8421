// `npm run build`: what the packages ship, with the platform package's folder filled.
import { ensureAll, fillPlatformPackage } from "./ensure.mjs";
import { entry } from "./run.mjs";

await entry(async () => {
  await ensureAll();
  fillPlatformPackage();
  return 0;
});
