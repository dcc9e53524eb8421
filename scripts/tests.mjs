// Runs all test runners, always all, and adds up what they counted.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { findChromium, NO_CHROMIUM } from "./chromium.mjs";
import { bin } from "./ensure.mjs";
import { checkInstructions, instructionsObjection } from "./instructions.mjs";
import { run } from "./run.mjs";
import { siteObjection } from "./site.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Count */

/** Prints the runners' output and, last, `N passed, N failed`. Answers with the exit code. */
export async function runTests() {
  const counts = [await cargo(), await vitest(), ...(await instructions())];
  const passed = sum(counts, "passed");
  const failed = sum(counts, "failed");
  const skipped = sum(counts, "skipped");
  if (!process.env.EMDASH_TEST_POSTGRES) {
    console.log(
      "\nPostgreSQL was left out: EMDASH_TEST_POSTGRES is not set (.ci/with-postgres npm test sets it)",
    );
  }
  const noCount = instructionsObjection();
  if (noCount) console.log(`\nCounts of instructions were left out: ${noCount}`);
  const noSite = siteObjection();
  if (noSite) console.log(`\nThe example site was left out: ${noSite}`);
  else if (!findChromium()) console.log(`\nThe tests in a browser were left out: ${NO_CHROMIUM}`);
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  if (counts.some((count) => count.passed + count.failed === 0)) {
    console.error("a runner ran no test at all");
    return 1;
  }
  return failed > 0 ? 1 : 0;
}

async function cargo() {
  const { code, text } = await run("cargo", ["test", "--workspace", "--locked", "--no-fail-fast"], "tee");
  return honest(code, readCargo(text));
}

async function vitest() {
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-vitest-"));
  const report = join(folder, "report.json");
  try {
    const { code } = await run(process.execPath, [
      bin("vitest", "vitest"),
      ...["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    ]);
    return honest(code, readVitest(report));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** None where there is nothing to count with. */
async function instructions() {
  if (instructionsObjection()) return [];
  console.log("\ninstructions of the Rust half, under callgrind");
  try {
    return [await checkInstructions()];
  } catch (error) {
    // The others' counts are still to be told.
    console.error(error);
    return [{ passed: 0, failed: 1, skipped: 0 }];
  }
}

/**
 * Every binary's `test result:` line, and that of the documentation tests.
 *
 * @param {string} output
 * @returns {Count}
 */
export function readCargo(output) {
  const line = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm;
  const counts = [...stripVTControlCharacters(output).matchAll(line)].map(([, passed, failed, ignored]) => ({
    passed: Number(passed),
    failed: Number(failed),
    skipped: Number(ignored),
  }));
  return { passed: sum(counts, "passed"), failed: sum(counts, "failed"), skipped: sum(counts, "skipped") };
}

/**
 * @param {string} file
 * @returns {Count}
 */
export function readVitest(file) {
  /** @type {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number }} */
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * A runner can fail with no failed test: a crate that does not compile, a spec file that does not load. That is one.
 *
 * @param {number} code
 * @param {Count} count
 * @returns {Count}
 */
function honest(code, count) {
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/**
 * @param {Count[]} counts
 * @param {keyof Count} key
 */
function sum(counts, key) {
  return counts.reduce((total, count) => total + count[key], 0);
}
