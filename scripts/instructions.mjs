// `node scripts/instructions.mjs`: how many instructions the Rust half needs for a call, counted by callgrind, and whether
// that is more than `instructions.json` allows. Options: `--set` writes down what was counted; `--keep FOLDER` leaves
// callgrind's files there, for callgrind_annotate.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { ensureDependencies } from "./ensure.mjs";
import { entry, run } from "./run.mjs";

/** @typedef {import("./tests.mjs").Count} Count */

/** What is allowed over what was counted: another compiler, another processor's vectors, and what varies from run to run. */
const HEADROOM = 1.25;

const ALLOWED = "scripts/instructions.json";

/** Bytes of the large event; `benches/instructions.rs` knows what an event such as `100000x` is. */
const LARGE = 100_000;

/**
 * How each figure comes about: from calls of a hook with an event, so many and so many more. What a start takes is in both.
 *
 * @type {Record<string, { hook: string, event: string, calls: [few: number, many: number] }>}
 */
const CALLS = {
  noop: { hook: "size", event: "1x", calls: [200, 1200] },
  read: { hook: "read", event: '"key"', calls: [200, 1200] },
  large: { hook: "size", event: `${LARGE}x`, calls: [20, 220] },
};

/** Why instructions can't be counted here; undefined when they can. */
export function instructionsObjection() {
  if (process.platform !== "linux") return "callgrind counts for Linux only";
  if (allowed() === undefined) return `${ALLOWED} has no counts for ${process.arch}`;
  const { error } = spawnSync("valgrind", ["--version"], { stdio: "ignore" });
  return error === undefined ? undefined : "there is no valgrind (Debian: valgrind)";
}

/**
 * Counts, and prints each figure beside what is allowed. A figure is a test.
 *
 * @param {string} [folder] where callgrind's files are to stay
 * @returns {Promise<Count>}
 */
export async function checkInstructions(folder) {
  const counted = await count(folder);
  const tests = Object.entries(counted).map(([name, figure]) => {
    const usual = allowed()?.[name];
    const isWithin = usual !== undefined && figure <= usual * HEADROOM;
    console.log(`${isWithin ? "ok" : "FAILED"}  ${name}: ${figure}, ${usual} when it was set`);
    return isWithin;
  });
  const failed = tests.filter((isWithin) => !isWithin).length;
  if (failed > 0) {
    console.log(
      `\nThe Rust half needs more than ${HEADROOM} times the instructions that it did. To see where:\n` +
        "  node scripts/instructions.mjs --keep /tmp/instructions\n" +
        "  callgrind_annotate --inclusive=yes /tmp/instructions/noop.many\n" +
        `When it is meant to be so: node scripts/instructions.mjs --set, and commit ${ALLOWED}.`,
    );
  }
  return { passed: tests.length - failed, failed, skipped: 0 };
}

/** @param {string} [keep] */
async function count(keep) {
  const program = await build();
  const folder = keep ?? mkdtempSync(join(tmpdir(), "emdash-sandbox-instructions-"));
  mkdirSync(folder, { recursive: true });
  try {
    /** @type {Record<string, number>} */
    const perCall = {};
    for (const [name, { hook, event, calls }] of Object.entries(CALLS)) {
      const [few, many] = calls;
      const less = await instructions(program, [hook, event, `${few}`], join(folder, `${name}.few`));
      const more = await instructions(program, [hook, event, `${many}`], join(folder, `${name}.many`));
      perCall[name] = (more - less) / (many - few);
    }
    const { noop = 0, read = 0, large = 0 } = perCall;
    return {
      "instructions of a call": Math.round(noop),
      "instructions of a call that reads from KV once": Math.round(read),
      "instructions a byte of an event": Math.round(((large - noop) / LARGE) * 100) / 100,
    };
  } finally {
    if (keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Of all threads of this one process: valgrind does not follow the plugin's.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {string} file
 */
async function instructions(program, args, file) {
  // Of system calls that it does not know it warns at length; who makes them copes.
  const valgrind = ["--quiet", "--tool=callgrind", `--log-file=${file}.log`, `--callgrind-out-file=${file}`];
  const { code } = await run("valgrind", [...valgrind, program, ...args]);
  const total = code === 0 ? /^totals: (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] : undefined;
  if (total === undefined) {
    console.error(readFileSync(`${file}.log`, "utf8"));
    throw new Error(`valgrind ended with code ${code}: ${args.join(" ")}`);
  }
  return Number(total);
}

/** @returns {Promise<string>} */
async function build() {
  // As the tests build it, of which nothing but the program itself is left to compile. Our own part is not optimised; a
  // step more is a step more there, too. The launcher is looked for beside it.
  const programs = ["--bench", "instructions", "--bin", "emdash-sandbox-launcher"];
  const args = ["build", "--locked", "--workspace", ...programs];
  const { code, text } = await run("cargo", [...args, "--message-format=json-render-diagnostics"], "capture");
  if (code !== 0) throw new Error(`building what is counted ended with code ${code}`);
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  const artifacts = lines.map((line) => JSON.parse(line));
  const program = artifacts.find(({ target, executable }) => target?.name === "instructions" && executable);
  if (program === undefined) throw new Error("cargo built no program to count");
  return program.executable;
}

/** What was counted when it was set last, on this kind of processor. @returns {Record<string, number> | undefined} */
function allowed() {
  return JSON.parse(readFileSync(ALLOWED, "utf8"))[process.arch];
}

async function main() {
  const { values } = parseArgs({ options: { set: { type: "boolean" }, keep: { type: "string" } } });
  await ensureDependencies();
  if (!values.set) {
    const objection = instructionsObjection();
    if (objection !== undefined) throw new Error(`not counted: ${objection}`);
    return (await checkInstructions(values.keep)).failed > 0 ? 1 : 0;
  }
  const all = JSON.parse(readFileSync(ALLOWED, "utf8"));
  const counted = await count(values.keep);
  writeFileSync(ALLOWED, `${JSON.stringify({ ...all, [process.arch]: counted }, null, 2)}\n`);
  console.log(counted);
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await entry(main);
