/** Processes as Linux's /proc shows them. */
import { readdirSync, readFileSync } from "node:fs";

export const onLinux = process.platform === "linux";

/** The workerd processes that are children of `parent`. */
export function workerdsOf(parent: number): number[] {
  return childrenOf(parent).filter((pid) => stat(pid)?.name === "workerd");
}

/** As `childrenOf`, but for the watchdog that one transport has: it may end a moment after the last plugin. */
export function pluginsOf(parent: number): number[] {
  return process.env.EMDASH_SANDBOX_TRANSPORT === "tcp" ? workerdsOf(parent) : childrenOf(parent);
}

/** Every living child of `parent`. */
export function childrenOf(parent: number): number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => stat(pid)?.parent === parent && isAlive(pid));
}

/** False also for one that has ended and that nobody has reaped yet: in a container there may be nobody to do so. */
export function isAlive(pid: number): boolean {
  const state = stat(pid)?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

function stat(pid: number): { name: string; state: string; parent: number } | undefined {
  try {
    // `12 (a name, of any characters) S 1 …`
    const [, name = "", state = "", parent] =
      readFileSync(`/proc/${pid}/stat`, "utf8").match(/\((.*)\) (\S) (\d+)/s) ?? [];
    return { name, state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
