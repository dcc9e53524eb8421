// `npm run build`: what the packages ship, with the platform package's folder filled.
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { ensureAll, platformName } from "./ensure.mjs";
import { entry } from "./run.mjs";

await entry(async () => {
  await ensureAll();
  const folder = `npm/${platformName()}`;
  // A platform that we do not publish for can still build and test.
  if (!existsSync(folder)) return 0;
  const { files } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  for (const file of files) copyFileSync(basename(file), `${folder}/${file}`);
  return 0;
});
