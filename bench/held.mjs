// What this process holds: memory, descriptors, timers, children. Linux only.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** After garbage has been collected, with time in between for what is done then; memory in MB. */
export async function held() {
  for (let turn = 0; turn < 5; turn += 1) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  return { descriptors: descriptors(), timers, rss: process.memoryUsage.rss() / 2 ** 20 };
}

/** Those of `last` that are not in `first`. */
export function surplus(first, last) {
  const rest = [...last];
  for (const each of first) if (rest.includes(each)) rest.splice(rest.indexOf(each), 1);
  return rest.join(", ");
}

/** The processes that this one has started and that have not ended. */
export function childrenOfThis() {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      return Number(parent) === process.pid && state !== "Z" && state !== "X";
    } catch {
      return false;
    }
  });
}

function descriptors() {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, "n")];
    } catch {
      // The one that lists them.
      return [];
    }
  });
}
