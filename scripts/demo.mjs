// `npm run demo`: a published EmDash plugin in the sandbox, from a fresh clone to a readable log.
import process from "node:process";
import { ensureAll } from "./ensure.mjs";
import { entry, run } from "./run.mjs";

await entry(async () => {
  await ensureAll();
  const { code } = await run(process.execPath, ["examples/audit-log.mjs", ...process.argv.slice(2)]);
  return code;
});
