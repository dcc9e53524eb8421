// `node scripts/machine.mjs [--may-skip] [--only PATTERN] [NAME …]`: the package on other kernels than this machine's. Each is a virtual
// machine of Debian's packages (QEMU, with KVM where there is one), in which systemd is what starts the site, by the very
// unit of docs/operations.md. What is done there is in machine/within/. Needs root, mmdebstrap, e2fsprogs and QEMU; what
// can't be tried is a failure, unless it may be skipped.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ensureAll } from "./ensure.mjs";
import { boot } from "./machine/boot.mjs";
import { ensureImage, MACHINES } from "./machine/image.mjs";
import { load } from "./machine/load.mjs";
import { entry, run } from "./run.mjs";

const { values, positionals } = parseArgs({
  options: { "may-skip": { type: "boolean", default: false }, only: { type: "string", default: "." } },
  allowPositionals: true,
});

await entry(async () => {
  const unknown = positionals.filter((name) => !(name in MACHINES));
  if (unknown.length > 0)
    throw new Error(`no machine is called ${unknown}: there are ${Object.keys(MACHINES)}`);
  const lacking = await whatLacks();
  if (lacking !== null) {
    console.error(`not tried: ${lacking}`);
    return values["may-skip"] ? 0 : 1;
  }
  await ensureAll();
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-machine-"));
  try {
    const drive = await load(folder, values.only);
    const failed = [];
    for (const name of positionals.length > 0 ? positionals : Object.keys(MACHINES)) {
      console.log(`\n── ${name}`);
      const image = await ensureImage(name);
      if (!(await boot(image, drive, folder))) failed.push(name);
    }
    for (const name of failed) console.error(`failed: ${name}`);
    return failed.length > 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Why no machine can be made here; `null` when one can. */
async function whatLacks() {
  if (process.platform !== "linux" || process.arch !== "x64") return "the machines are of Linux on x86-64";
  if (process.getuid?.() !== 0) return "a file system with files of root's is made by root only";
  for (const [program, name] of [
    ["qemu-system-x86_64", "qemu-system-x86"],
    ["mmdebstrap", "mmdebstrap"],
    ["mke2fs", "e2fsprogs"],
  ]) {
    const found = await run("sh", ["-c", `command -v ${program}`], "capture");
    if (found.code !== 0) return `there is no ${program}: install ${name}`;
  }
  return null;
}
