/** The command, as a process of its own. */
import { join } from "node:path";
import { type Exit, Host } from "./host.js";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");

export interface Ran extends Exit {
  out: string;
  err: string;
}

interface Circumstances {
  env?: Record<string, string>;
  cwd?: string;
  node?: string[];
  stdin?: string;
  /** The command's main file. */
  main?: string;
}

export function startCommand(args: string[], { main = MAIN, ...circumstances }: Circumstances = {}): Host {
  return new Host(main, { args, ...circumstances });
}

/** Resolves when it has ended. */
export async function command(args: string[], circumstances: Circumstances = {}): Promise<Ran> {
  const host = startCommand(args, circumstances);
  host.endInput(circumstances.stdin);
  const exit = await host.ended;
  return { ...exit, out: host.out, err: host.err };
}

/** Has the process believe that it is on another machine: `platform-arch`, or `musl`. */
export function onMachine(machine: string): { node: string[]; env: Record<string, string> } {
  const file = join(import.meta.dirname, "../fixtures/hosts/other-machine.mjs");
  return { node: ["--import", file], env: { EMDASH_TEST_MACHINE: machine } };
}
