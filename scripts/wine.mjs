// Runs programs of Windows by Wine, in a folder of Wine's own.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** The program's name differs with who packs it. */
const NAMES = ["wine", "wine64", "wine-stable"];

export class Wine {
  #program;
  #prefix = "";

  /** @param {string} program */
  constructor(program) {
    this.#program = program;
  }

  /** Null where there is none. */
  static find() {
    const named = process.env.EMDASH_TEST_WINE;
    const found = (named ? [named] : NAMES).find((name) => spawnSync(name, ["--version"]).status === 0);
    return found === undefined ? null : new Wine(found);
  }

  /**
   * @param {string} prefix what it keeps: a drive C and a registry, made where there is none
   */
  async begin(prefix) {
    mkdirSync(prefix, { recursive: true });
    this.#prefix = prefix;
    const code = await this.run("wineboot", ["--init"]);
    if (code !== 0) throw new Error(`${this.#program} could not be set up in ${prefix}: code ${code}`);
  }

  /**
   * Runs a program to its end and shows what it said, then: Node for Windows takes files as its output under Wine, and no
   * pipes ("open EBADF").
   *
   * @param {string} program
   * @param {string[]} args
   * @param {{ cwd?: string, env?: Record<string, string> }} [options]
   * @returns {Promise<number>} its exit code
   */
  async run(program, args, { cwd, env = {} } = {}) {
    const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-wine-"));
    const file = join(folder, "output");
    const output = openSync(file, "a");
    try {
      const child = spawn(this.#program, [program, ...args], {
        stdio: ["ignore", output, output],
        cwd,
        env: { ...environment(), WINEPREFIX: this.#prefix, ...env },
      });
      return await new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code) => resolve(code ?? 128));
      });
    } finally {
      closeSync(output);
      process.stdout.write(readFileSync(file));
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** A path of this system as Wine shows it. @param {string} path */
export function windowsPath(path) {
  return `Z:${path.replaceAll("/", "\\")}`;
}

function environment() {
  const own = /** @type {Record<string, string | undefined>} */ ({ ...process.env });
  // Wine 10 crashes at its start when it is set ("free(): invalid pointer").
  delete own.TMPDIR;
  return { ...own, NO_COLOR: "1", WINEDEBUG: "fixme-all,err-all" };
}
