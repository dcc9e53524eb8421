// `node scripts/denials.mjs [vitest's arguments]`: runs tests, those of parity if none are named, with strace on every
// plugin's process, and fails on each system call that the jail refused it. Of the filter alone the tests would tell,
// since an unexpected call is fatal in them; what Landlock refuses a program may cope with.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { bin, ensureAll } from "./ensure.mjs";
import { entry, run } from "./run.mjs";

/** What no jail is for: glibc asks for it for each thread, and takes `clone` when there is none. */
const EXPECTED = /^\d+ +clone3\(.* ENOSYS /;

const REFUSED = / = -1 (EACCES|EPERM|ENOSYS) |\+\+\+ killed by SIGSYS|--- SIGSYS /;

await entry(async () => {
  await ensureAll();
  const missing = await missingHere();
  if (missing !== null) {
    console.error(`not within the whole jail, so a run would show nothing: this machine lacks ${missing}`);
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-denials-"));
  try {
    const launcher = join(folder, "launcher");
    // With -D the process stays Node's own child, and strace is nobody's. It ends with the process.
    const strace = `exec strace -D -f -qq -Z -o '${folder}/trace'.$$ '${resolve("emdash-sandbox-launcher")}' "$@"`;
    writeFileSync(launcher, `#!/bin/sh\n${strace}\n`, { mode: 0o755 });
    const args = process.argv.slice(2);
    process.env.EMDASH_TEST_LAUNCHER = launcher;
    const { code } = await run(process.execPath, [
      bin("vitest", "vitest"),
      "run",
      ...(args.length > 0 ? args : ["__test__/parity"]),
    ]);
    const traces = readdirSync(folder).filter((name) => name.startsWith("trace."));
    const lines = traces.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
    const refused = lines.filter((line) => REFUSED.test(line) && !EXPECTED.test(line));
    for (const line of new Set(refused.map((line) => line.replace(/^\d+ +/, "")))) console.error(line);
    console.log(`${traces.length} processes traced, ${refused.length} calls refused`);
    return code !== 0 || refused.length > 0 || traces.length === 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** What this machine can't put up of the jail, in words, or null. */
async function missingHere() {
  // By a name that no type checker follows: what is built has declarations for the package's users alone.
  const built = new URL("../dist/native.js", import.meta.url).href;
  /** @type {typeof import("../host/native.js")} */
  const { loadNative } = await import(built);
  const loaded = loadNative();
  if (!loaded.ok) throw new Error(loaded.reason);
  return loaded.native.addon.jailReport("auto").missing;
}
