#!/usr/bin/env node
/** The command `emdash-sandbox-native`: which of its two it is asked for. */
import { Console } from "node:console";
import { doctorCommand } from "./doctor-command.js";
import { ownVersion } from "./own-version.js";
import { runCommand } from "./run-command.js";
import { USAGE, UsageError } from "./usage.js";

/** Each answers with the exit code: 0, or 1 when a plugin can't run or has failed. */
const COMMANDS: ReadonlyMap<string, (args: string[]) => Promise<number>> = new Map([
  ["doctor", doctorCommand],
  ["run", runCommand],
]);

/** An unknown option, or a file that can't be read. */
const USAGE_ERROR = 2;

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...args]: string[]): Promise<number> {
  // What plugins log must not mix with the answer.
  globalThis.console = new Console(process.stderr, process.stderr);
  try {
    if (name === "--help" || name === "-h" || name === "help") return say(USAGE);
    if (name === "--version") return say(ownVersion());
    const command = COMMANDS.get(name ?? "");
    if (command) return await command(args);
    throw new UsageError(name === undefined ? "no command given" : `there is no command ${name}`, USAGE);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // The commands' first lines; what each option means is told to who asks.
    const [synopsis] = error.usage.split("\n\n", 1);
    process.stderr.write(`emdash-sandbox-native: ${error.message}\n\n${synopsis}\n\n--help tells more.\n`);
    return USAGE_ERROR;
  }
}

function say(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}
