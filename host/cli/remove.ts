/** The end of a temporary folder, also where a file in it is still open. */
import { rmSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The collector needs one round, and what it calls back another turn of the event loop. The rest is for slow virus scanners. */
const TRIES = 5;

/**
 * libSQL closes its file when its objects are collected, not when they are closed, and Windows removes no file that is open.
 * So where it can't be removed, garbage is collected first. Never throws: what stays is said to whoever asked for it.
 */
export async function removeFolder(
  folder: string,
  remove: (folder: string) => void = removeNow,
): Promise<void> {
  let collect: (() => void) | undefined;
  for (let tried = 1; ; tried += 1) {
    try {
      return remove(folder);
    } catch (error) {
      if (tried === TRIES) return console.error(`${folder} is left behind: ${(error as Error).message}`);
      collect ??= collector();
      collect();
      await setImmediate();
    }
  }
}

/** For whoever can wait for nothing: an interrupted command on Windows, where the database is open, leaves it behind. */
export function tryToRemove(folder: string): void {
  try {
    removeNow(folder);
  } catch {
    // It is temporary: the system's own clean-up finds it.
  }
}

function removeNow(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Only contexts that are made under the flag have it, and this is the only one. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
