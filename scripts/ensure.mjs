// Makes what a command needs and no more, so that `npm run demo` and `npm test` work on a fresh clone and are fast later.
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { removeUnreachable } from "./declarations.mjs";
import { must, run } from "./run.mjs";
import { ensure } from "./stamp.mjs";

// Every path in these scripts is relative to the repository, from wherever they are started.
process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** All of it, in the order in which each needs the one before. */
export async function ensureAll() {
  await ensureDependencies();
  await ensureAddon();
  await ensureHost();
}

/** The packages of package-lock.json, in node_modules/. */
export async function ensureDependencies() {
  await ensure({
    name: "dependencies",
    inputs: ["package.json", "package-lock.json"],
    outputs: ["node_modules/.package-lock.json"],
    async make() {
      refuseAStaleLock();
      // Not `npm ci`: it fails where a registry lacks another platform's optional package, which ours need not have.
      // --no-save takes the versions of package-lock.json just the same, and writes neither file.
      await npm(INSTALL);
    },
  });
}

/** The newest miniflare, for a test, with a Node that runs it. Apart, because the oldest one is among our packages. */
export async function ensureNewestMiniflare() {
  const folder = ".ci/newest-miniflare";
  await ensure({
    name: "newest miniflare",
    inputs: [`${folder}/package.json`, `${folder}/package-lock.json`],
    outputs: [`${folder}/node_modules/.package-lock.json`],
    make: () => npm([...INSTALL, "--prefix", folder]),
  });
}

/** Not even the scripts of the packages that we chose are run. */
export const INSTALL = [
  "install",
  "--no-save",
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--loglevel=error",
];

/** The addon, its types and the launcher, in the repository's root. */
export async function ensureAddon() {
  // On Windows the system itself does what it is for: putting up the jail on Linux, watching on macOS.
  const launchers = process.platform === "win32" ? [] : ["emdash-sandbox-launcher"];
  await ensure({
    name: "addon",
    inputs: [
      "Cargo.toml",
      "Cargo.lock",
      "build.rs",
      ".cargo",
      "src",
      "launcher",
      "guest",
      "scripts/ensure.mjs",
    ],
    outputs: [addonFile(), ...launchers],
    guarded: ["index.d.ts"],
    async make() {
      // First, because a machine without cargo hears a clear word here, and a stack from napi.
      for (const launcher of launchers) copyFresh(await buildLauncher(), launcher);
      await must(process.execPath, [
        bin("@napi-rs/cli", "napi"),
        ...["build", "--release", "--platform", "--no-js", "--dts", "index.d.ts", "--", "--locked"],
      ]);
    },
  });
}

/** The platform package's folder, with its binaries in it; `null` where there is none for this platform. */
export function fillPlatformPackage() {
  const folder = platformFolder();
  // A platform that we do not publish for can still build and test.
  if (!existsSync(folder)) return null;
  for (const file of platformFiles()) copyFresh(file, `${folder}/${file}`);
  return folder;
}

/** What package.json's `exports` name. */
const TYPED_ENTRIES = ["dist/index.d.ts", "dist/sandbox.d.ts"];

/** The TypeScript half, in dist/. */
export async function ensureHost() {
  await ensure({
    name: "host",
    inputs: [
      ...["host", "index.d.ts", "package-lock.json", "tsconfig.json", "tsconfig.build.json"],
      "scripts/declarations.mjs",
    ],
    outputs: ["dist/index.js", "dist/index.d.ts"],
    async make() {
      // A source file that is gone must not live on in dist/.
      rmSync("dist", { recursive: true, force: true });
      await must(process.execPath, [bin("typescript", "tsc"), "-p", "tsconfig.build.json"]);
      removeUnreachable("dist", TYPED_ENTRIES);
    },
  });
}

/**
 * The file that `node` runs for a command of an installed package: without npx, a shell or .cmd files in between.
 *
 * @param {string} name
 * @param {string} command
 */
export function bin(name, command) {
  const manifest = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const path = typeof manifest.bin === "string" ? manifest.bin : manifest.bin[command];
  return `node_modules/${name}/${path}`;
}

/** What `napi build --platform` calls the addon here. */
export function addonFile() {
  return `emdash-sandbox-native.${platformName()}.node`;
}

export function platformFolder() {
  return `npm/${platformName()}`;
}

/** @returns {string[]} what the platform's package ships of a build */
export function platformFiles() {
  return JSON.parse(readFileSync(`${platformFolder()}/package.json`, "utf8")).files;
}

/** The platform as napi names it: the end of the platform package's name. */
export function platformName() {
  const { platform, arch } = process;
  if (platform === "linux") return `linux-${arch}-gnu`;
  if (platform === "win32") return `win32-${arch}-msvc`;
  return `${platform}-${arch}`;
}

async function buildLauncher() {
  // cargo is asked where it put the program: the target folder is the caller's to choose (CARGO_TARGET_DIR).
  const { code, text } = await run(
    "cargo",
    [
      "build",
      "--release",
      "--locked",
      // By its name: the package has a program for tests as well.
      "-p",
      "emdash-sandbox-launcher",
      "--bin",
      "emdash-sandbox-launcher",
      "--message-format=json-render-diagnostics",
    ],
    "capture",
  );
  if (code !== 0) throw new Error(`building the launcher ended with code ${code}`);
  for (const line of text.split("\n")) {
    const executable = line.startsWith("{") && JSON.parse(line).executable;
    if (executable) return executable;
  }
  throw new Error("cargo built no emdash-sandbox-launcher");
}

/**
 * Copies into a new file, since a program that is running cannot be written to, and then puts it in its place at once: tests
 * pack the same folder at the same time.
 *
 * @param {string} from
 * @param {string} to
 */
function copyFresh(from, to) {
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return;
  const fresh = `${to}.${process.pid}`;
  copyFileSync(from, fresh);
  renameSync(fresh, to);
}

/**
 * @param {string[]} args
 * @param {"show" | "capture"} [output]
 */
export async function npm(args, output) {
  const [program, ...first] = npmCommand();
  await must(program, [...first, ...args], output);
}

/**
 * What runs npm: inside `npm run`, the very npm that the developer used.
 *
 * @returns {[program: string, ...args: string[]]}
 */
export function npmCommand() {
  const cli = process.env.npm_execpath;
  return cli !== undefined && existsSync(cli) ? [process.execPath, cli] : ["npm"];
}

/** What `npm ci` would check, and `npm install --no-save` would pass over. */
function refuseAStaleLock() {
  const wanted = JSON.parse(readFileSync("package.json", "utf8"));
  const locked = JSON.parse(readFileSync("package-lock.json", "utf8")).packages[""];
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]) {
    if (sorted(wanted[kind]) !== sorted(locked[kind])) {
      throw new Error(
        `package-lock.json does not have the ${kind} of package.json: run npm install, and commit it`,
      );
    }
  }
}

/** @param {Record<string, string>} [dependencies] */
function sorted(dependencies = {}) {
  return JSON.stringify(Object.entries(dependencies).sort());
}
