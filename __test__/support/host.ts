/** Node processes that run a script of `fixtures/hosts/`. Each one that a test starts is killed behind it. */
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { afterEach } from "vitest";
import { until } from "./until.js";

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

const running = new Set<ChildProcess>();

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

export class Host {
  readonly pid: number;
  /** Resolves when it has ended and all that it wrote has been read. */
  readonly ended: Promise<Exit>;
  out = "";
  err = "";
  readonly #child: ChildProcess;
  #exit: Exit | undefined;

  constructor(
    script: string,
    {
      args = [] as string[],
      node = [] as string[],
      env = {},
      cwd = process.cwd(),
      program = process.execPath,
    } = {},
  ) {
    // A path stays one.
    const file = resolve(import.meta.dirname, "../fixtures/hosts", script);
    const child = spawn(program, [...node, file, ...args], { cwd, env: { ...process.env, ...env } });
    running.add(child);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  /** Resolves when it has said this line; fails with what it did say when it ends before. */
  async said(line: string): Promise<void> {
    const has = () => this.out.split("\n").includes(line);
    await until(() => has() || this.#exit !== undefined, `the host said ${line}`);
    if (!has()) throw new Error(`it ended with ${JSON.stringify(this.#exit)}\n${this.out}\n${this.err}`);
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Its standard input is this, and at its end. */
  endInput(text = ""): void {
    this.#child.stdin?.end(text);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
