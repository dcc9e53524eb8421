// What can only be seen in a process that holds one runner and nothing else: `bench/alone.mjs` is that process.
import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ALONE = fileURLToPath(new URL("../alone.mjs", import.meta.url));

const alone = (id, title, environment) => ({
  id,
  title,
  who: ["peer", "ours"],
  isAlone: true,
  run: async (name) => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", ALONE, id, name], {
      env: { ...process.env, ...environment },
    });
    // A runner may have words of its own for standard output.
    return JSON.parse(stdout.trim().split("\n").at(-1));
  },
});

export const aloneRows = [
  alone("import", "importing the package"),
  alone("memory", "memory of 1, 10 and 30 plugins that run: Node and workerd, MB"),
  // Soon enough to be seen; the default is ten minutes. An answered call may go on until its wall time is over.
  alone("idle", "memory of 1, 10 and 30 plugins that nobody uses, MB", {
    EMDASH_SANDBOX_IDLE_MS: "300",
    EMDASH_SANDBOX_WALL_TIME_MS: "1000",
  }),
  alone("worn", "a plugin's own memory after 60,000 calls"),
  alone("loop", "Node's event loop at 1,000 hooks a second"),
];
