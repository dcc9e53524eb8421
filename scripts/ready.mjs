// `npm run ready`: all that CI runs. Every check runs, so that one run names all that is wrong.
import process from "node:process";
import { bin, ensureAll, ensureNewestMiniflare } from "./ensure.mjs";
import { entry, run } from "./run.mjs";
import { ensureSiteWherePossible } from "./site.mjs";
import { runTests } from "./tests.mjs";
import { lintWorkflows } from "./workflows.mjs";

// Biome heeds CI=true before NO_COLOR.
const COLORS = `--colors=${process.stdout.isTTY ? "force" : "off"}`;

const GENERATED = ["index.d.ts", "Cargo.lock", "package-lock.json", "examples/site/package-lock.json"];

/** @type {[string, () => Promise<number>][]} */
const CHECKS = [
  ["rustfmt", () => code("cargo", ["fmt", "--all", "--check"])],
  [
    "clippy",
    () => code("cargo", ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
  ],
  ["biome", () => code(process.execPath, [bin("@biomejs/biome", "biome"), "ci", COLORS])],
  ["types", () => code(process.execPath, [bin("typescript", "tsc"), "-p", "tsconfig.json"])],
  ["workflows", lintWorkflows],
  ["generated files are committed", () => code("git", ["diff", "--exit-code", "--stat", "--", ...GENERATED])],
  ["soak, one minute", () => code(process.execPath, ["bench/soak.mjs", "--seconds", "60"])],
  // Last, so that the count of tests is the last line of a run in which all is well.
  ["tests", runTests],
];

await entry(async () => {
  await ensureAll();
  await ensureNewestMiniflare();
  await ensureSiteWherePossible();
  const failures = [];
  for (const [name, check] of CHECKS) {
    console.log(`\n── ${name}`);
    if ((await check()) !== 0) failures.push(name);
  }
  if (failures.length > 0) console.error(`\nnot ready: ${failures.join(", ")}`);
  return failures.length > 0 ? 1 : 0;
});

/**
 * @param {string} program
 * @param {string[]} args
 */
async function code(program, args) {
  return (await run(program, args)).code;
}
