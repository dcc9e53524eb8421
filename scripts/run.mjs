// One way to start a child: its output goes straight through, or also into a string for those who must read it.
import { spawn } from "node:child_process";
import process from "node:process";

// With CI=true, vitest and Biome paint even what goes to a file.
const PLAIN = process.stdout.isTTY ? {} : { NO_COLOR: "1" };

/**
 * Runs a program to its end. Its standard error is ours; its standard output is ours too, unless `output` says that it
 * is to be read: "tee" shows it as well, "capture" does not.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {"show" | "tee" | "capture"} [output]
 * @param {string} [cwd]
 * @param {NodeJS.ProcessEnv} [env] besides ours
 * @returns {Promise<{ code: number, text: string }>} the code is 128 for a child that a signal killed
 */
export function run(program, args, output = "show", cwd = undefined, env = {}) {
  return new Promise((resolve, reject) => {
    /** @type {import("node:child_process").StdioOptions} */
    const stdio = ["ignore", output === "show" ? "inherit" : "pipe", "inherit"];
    const child = spawn(program, args, { stdio, cwd, env: { ...process.env, ...PLAIN, ...env } });
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      if (output === "tee") process.stdout.write(chunk);
    });
    child.on("error", (cause) =>
      reject(new Error(`${program} could not be started${hint(program)}`, { cause })),
    );
    child.on("close", (code) => resolve({ code: code ?? 128, text }));
  });
}

/**
 * Runs a step that nothing can go on without.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {"show" | "capture"} [output]
 */
export async function must(program, args, output) {
  const { code, text } = await run(program, args, output);
  if (code !== 0) process.stdout.write(text);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with code ${code}`);
}

/**
 * The entry of a script: an error of ours is a sentence on standard error, not a stack.
 *
 * @param {() => Promise<number>} main answers with the exit code
 */
export async function entry(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/** @param {string} program */
function hint(program) {
  return program === "cargo" ? ": install Rust 1.88 or later (rustup), with rustfmt and clippy" : "";
}
