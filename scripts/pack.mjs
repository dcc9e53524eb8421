// `npm run pack`: the tarballs that a release consists of: the package, and the one of this platform, in packed/. With
// --every-platform those of all platforms, whose binaries must be in their folders already; with --to <folder> elsewhere.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureAll, ensureDependencies, ensureHost, fillPlatformPackage, npmCommand } from "./ensure.mjs";
import { entry, run } from "./run.mjs";

const OPTIONS = /** @type {const} */ ({
  "every-platform": { type: "boolean", default: false },
  to: { type: "string", default: "packed" },
});

await entry(async () => {
  const { values } = parseArgs({ options: OPTIONS });
  const folders = values["every-platform"] ? await everyPlatform() : await thisPlatform();
  // What lies there from another version is not to be installed by mistake.
  if (values.to === OPTIONS.to.default) rmSync(values.to, { recursive: true, force: true });
  mkdirSync(values.to, { recursive: true });
  for (const folder of [".", ...folders]) await pack(folder, values.to);
  return 0;
});

async function thisPlatform() {
  await ensureAll();
  const own = fillPlatformPackage();
  if (own === null) throw new Error("there is no package for this platform: npm/ has no folder of it");
  return [own];
}

/** Builds no addon: those that are in the folders are the ones that have been tested. */
async function everyPlatform() {
  await ensureDependencies();
  await ensureHost();
  return readdirSync("npm").map((name) => `npm/${name}`);
}

/**
 * @param {string} folder
 * @param {string} to
 */
async function pack(folder, to) {
  const { files, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  refuseAnother(folder, version);
  const missing = files.filter(
    (/** @type {string} */ file) => !file.startsWith("!") && !existsSync(join(folder, file)),
  );
  if (missing.length > 0) throw new Error(`${folder} lacks ${missing.join(", ")}: build it on its platform`);
  const launcher = join(folder, "emdash-sandbox-launcher");
  if (files.includes("emdash-sandbox-launcher") && (statSync(launcher).mode & 0o111) === 0) {
    throw new Error(`${launcher} may not be executed, as after a transfer: chmod +x ${launcher}`);
  }
  const [program, ...first] = npmCommand();
  // Scripts are ours, and only for publishing. The folder's name needs a dot, or npm would take it for a repository.
  const { code, text } = await run(
    program,
    [
      ...first,
      "pack",
      `./${folder}`,
      "--json",
      "--ignore-scripts",
      "--loglevel=error",
      `--pack-destination=${to}`,
    ],
    "capture",
  );
  if (code !== 0) throw new Error(`npm pack of ${folder} ended with code ${code}`);
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(text);
  console.log(`${join(to, filename)}: ${kb(size)} packed, ${kb(unpackedSize)} unpacked, ${entryCount} files`);
}

/**
 * A package whose addon is of another version would load, and then not work.
 *
 * @param {string} folder
 * @param {string} version
 */
function refuseAnother(folder, version) {
  const { version: wanted } = JSON.parse(readFileSync("package.json", "utf8"));
  if (version !== wanted) throw new Error(`${folder} has version ${version}, and the package ${wanted}`);
}

/** @param {number} bytes */
function kb(bytes) {
  return `${Math.ceil(bytes / 1000)} kB`;
}
