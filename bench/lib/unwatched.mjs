// A build of this package that does not look at what a plugin uses while it is called: what enforcing limits costs is the
// difference. In bench/results/, beside the figures.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addonFile } from "../../scripts/ensure.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = join(ROOT, "target/unwatched");

/** Builds it, in a folder of its own, and answers with that folder. */
export function buildUnwatched() {
  const folder = join(ROOT, "bench/results/unwatched");
  const args = ["build", "--release", "--locked", "--lib", "--features", "unwatched", "--target-dir", TARGET];
  execFileSync("cargo", args, { cwd: ROOT, stdio: "inherit" });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of ["dist", "package.json", "emdash-sandbox-launcher"])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  copyFileSync(join(TARGET, "release/libemdash_sandbox_native.so"), join(folder, addonFile()));
  return folder;
}
