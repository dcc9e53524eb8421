// `npm run demo:site`: the example site, built, filled and started. `-- --dev` runs `astro dev` instead.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { entry } from "./run.mjs";
import { ensureSite, siteObjection } from "./site.mjs";
import { freePort, seedSite, startSite } from "./site-server.mjs";

const { values } = parseArgs({
  options: { dev: { type: "boolean", default: false }, data: { type: "string" }, port: { type: "string" } },
});

await entry(async () => {
  const objection = siteObjection();
  if (objection !== undefined) throw new Error(`the example site cannot run here: ${objection}`);
  await ensureSite();
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end.abort());
  const folder = values.data ? resolve(values.data) : mkdtempSync(join(tmpdir(), "emdash-sandbox-site-"));
  mkdirSync(folder, { recursive: true });
  try {
    const port = values.port ? Number(values.port) : await freePort();
    const signIn = await seedSite(folder, `http://localhost:${port}`);
    const site = await startSite({ folder, port, isDevelopment: values.dev, show: true, signal: end.signal });
    console.log(`
  The site     ${site.url}/
  Its admin    ${signIn}
               (signs you in as Ada, once, within 15 minutes; then add a passkey, or run this again)
  Its plugins  audit-log, webhook-notifier, about and hostile, each in a workerd process of its own
  Its data     ${folder}${values.data ? "" : ", removed at the end; -- --data FOLDER keeps it"}

  Ctrl-C ends it.
`);
    await site.ended;
  } finally {
    if (!values.data) rmSync(folder, { recursive: true, force: true });
  }
  return 0;
});
