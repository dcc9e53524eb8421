/** Processes as Linux's /proc shows them, or Windows's own list under Wine. */
import { readdirSync, readFileSync } from "node:fs";

const WINE = Symbol.for("emdash-sandbox-native:wine");

export const onLinux = process.platform === "linux";

/** What `fixtures/wine/preload.cjs` leaves there. */
const wine = (globalThis as { [WINE]?: { processes(): string } })[WINE];

/** The workerd processes that are children of `parent`. */
export function workerdsOf(parent: number): number[] {
  return all()
    .filter((one) => one.parent === parent && /^workerd(\.exe)?$/.test(one.name) && isLiving(one))
    .map(({ pid }) => pid);
}

/** As `childrenOf`, but for the watchdog that one transport has: it may end a moment after the last plugin. */
export function pluginsOf(parent: number): number[] {
  return process.env.EMDASH_SANDBOX_TRANSPORT === "tcp" ? workerdsOf(parent) : childrenOf(parent);
}

/** Every living child of `parent`. */
export function childrenOf(parent: number): number[] {
  return all()
    .filter((one) => one.parent === parent && isLiving(one))
    .map(({ pid }) => pid);
}

/** False also for one that has ended and that nobody has reaped yet: in a container there may be nobody to do so. */
export function isAlive(pid: number): boolean {
  const one = wine ? all().find((each) => each.pid === pid) : stat(pid);
  return one !== undefined && isLiving(one);
}

interface One {
  pid: number;
  parent: number;
  name: string;
  /** A letter of proc(5). */
  state: string;
}

function isLiving({ state }: One): boolean {
  return state !== "Z" && state !== "X";
}

function all(): One[] {
  if (wine) return wine.processes().trimEnd().split("\n").map(listed);
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => stat(pid) ?? []);
}

/** `12 8 a name.exe`: of a process that has ended there is no line. */
function listed(line: string): One {
  const [, pid, parent, name = ""] = /^(\d+) (\d+) (.*)$/.exec(line) ?? [];
  return { pid: Number(pid), parent: Number(parent), name, state: "R" };
}

function stat(pid: number): One | undefined {
  try {
    // `12 (a name, of any characters) S 1 …`
    const [, name = "", state = "", parent] =
      readFileSync(`/proc/${pid}/stat`, "utf8").match(/\((.*)\) (\S) (\d+)/s) ?? [];
    return { pid, name, state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
