/** One plugin's worker in a miniflare of its own: its start, the channel to its guest, its end. */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Miniflare, MiniflareOptions, Request, Response, WebSocket } from "miniflare";
import type * as Addon from "../../index.js";
import { type Fetcher, performFetch } from "./fetch.js";
import { storedFrame } from "./frames.js";
import { importMiniflare } from "./miniflare.js";
import type { Turns } from "./turns.js";

/** The same for every plugin of a runner. */
export type WorkerContext = {
  addon: typeof Addon;
  /** Where the package is. */
  miniflare: string;
  /** The way out. */
  egress: Addon.NativeEgress;
  /** Of starts. */
  turns: Turns;
};

export interface WorkerListener {
  onFrame(text: string): void;
  onLine(stream: "stdout" | "stderr", line: string): void;
  /** What an invocation has left of its time, in milliseconds; null when it may do nothing more. */
  timeLeft(invocation: number): number | null;
  /** Nothing can be asked of it any more. */
  onGone(reason: string): void;
}

export class DevWorker {
  readonly #listener: WorkerListener;
  /** The last lines of its standard error, which say why it did not start. */
  readonly #lastLines: string[] = [];
  readonly #key = randomBytes(32).toString("base64url");
  #miniflare: Miniflare | undefined;
  #socket: WebSocket | undefined;
  /** Large frames go one at a time. */
  #lane: Promise<unknown> = Promise.resolve();
  #lastStored = 0;
  #isEnded = false;

  constructor(listener: WorkerListener) {
    this.#listener = listener;
  }

  /** Resolves when its guest can be heard. Whatever fails: no process is left. */
  async start(context: WorkerContext, description: Addon.NativeDescription): Promise<void> {
    try {
      await this.#start(context, description);
    } catch (error) {
      await this.end();
      const words = context.addon.explainOutput(this.#lastLines);
      throw new Error(words ? `its process ended: ${words}` : messageOf(error));
    }
  }

  /** What is too large for the WebSocket is left with the guest, and then named. */
  send(frame: string): void {
    if (frame.length <= MAX_FRAME_LENGTH) {
      this.#say(frame);
      return;
    }
    this.#lastStored += 1;
    const number = this.#lastStored;
    this.#leave(`/frames/${number}`, frame, storedFrame(number));
  }

  /** Leaves bytes with the guest, and then sends the frame that names them. */
  sendWithBytes(frame: string, call: number, bytes: Uint8Array): void {
    this.#leave(`/bytes/${call}`, bytes, frame);
  }

  /** A file that the guest keeps for a call; null when it has none of this number. */
  async upload(number: number): Promise<Buffer | null> {
    const headers = { [KEY_HEADER]: this.#key };
    const response = await this.#miniflare?.dispatchFetch(`http://plugin/uploads/${number}`, { headers });
    return response?.ok ? Buffer.from(await response.arrayBuffer()) : null;
  }

  /** Resolves when its process is gone. */
  async end(): Promise<void> {
    this.#isEnded = true;
    try {
      await this.#miniflare?.dispose();
    } catch {
      // It says once more that it did not start.
    }
  }

  async #start(context: WorkerContext, description: Addon.NativeDescription): Promise<void> {
    const { Miniflare, Log, LogLevel, Response } = await importMiniflare(context.miniflare);
    // Many starts at once would make each other miss the deadline; the wait for one's turn is not part of it.
    const finished = await context.turns.next();
    const deadline = overdue();
    try {
      if (this.#isEnded) throw new Error("it was unloaded");
      this.#miniflare = new Miniflare({
        ...this.#workers(context, description, Response),
        log: new Log(LogLevel.NONE),
        // Miniflare would ask its maker's server for them.
        cf: false,
        handleRuntimeStdio: (out: Readable, err: Readable) => {
          this.#read("stdout", out);
          this.#read("stderr", err);
        },
      });
      await Promise.race([this.#open(this.#miniflare), deadline.passed]);
    } finally {
      deadline.cancel();
      finished();
    }
  }

  async #open(miniflare: Miniflare): Promise<void> {
    await miniflare.ready;
    const headers = { upgrade: "websocket", [KEY_HEADER]: this.#key };
    const { webSocket, status } = await miniflare.dispatchFetch("http://plugin/channel", { headers });
    if (!webSocket) throw new Error(`its channel can't be opened: the guest answered ${status}`);
    webSocket.addEventListener("message", ({ data }) => this.#listener.onFrame(String(data)));
    webSocket.addEventListener("close", () => this.#gone("its process ended"));
    webSocket.addEventListener("error", () => this.#gone("its channel broke"));
    this.#socket = webSocket;
    webSocket.accept();
  }

  #workers(
    { addon, egress }: WorkerContext,
    description: Addon.NativeDescription,
    Answer: typeof Response,
  ): MiniflareOptions {
    const guest = addon.guest();
    const { compatibilityDate, compatibilityFlags } = guest;
    const plugin = { name: guest.pluginModule, source: description.code };
    const timeLeft = (invocation: number) => this.#listener.timeLeft(invocation);
    const fetcher = { egress, description, timeLeft };
    const backing = async (request: Request) => await this.#receive(request, fetcher, Answer);
    return {
      workers: [
        {
          name: "gate",
          ...modulesOf([{ name: "gate.js", source: guest.gate }]),
          compatibilityDate,
          bindings: { KEY: this.#key },
          serviceBindings: { PLUGIN: guest.worker },
        },
        {
          name: guest.worker,
          ...modulesOf([...guest.modules, plugin]),
          compatibilityDate,
          compatibilityFlags,
          bindings: { [guest.binding]: JSON.parse(description.binding) },
          serviceBindings: { BACKING: backing },
          outboundService: { name: guest.worker, entrypoint: guest.wall },
        },
      ],
    };
  }

  /** What the guest sends to `env.BACKING`: large frames and fetches. */
  async #receive(request: Request, fetcher: Fetcher, Answer: typeof Response): Promise<Response> {
    switch (new URL(request.url).pathname) {
      case "/frames":
        this.#listener.onFrame(await request.text());
        return new Answer(null, { status: 204 });
      case "/fetch":
        return await performFetch(request, fetcher, Answer);
      default:
        return new Answer("there is no such thing here", { status: 404 });
    }
  }

  #read(stream: "stdout" | "stderr", readable: Readable): void {
    createInterface({ input: readable }).on("line", (line) => {
      if (stream === "stderr") {
        this.#lastLines.push(line);
        if (this.#lastLines.length > KEPT_LINES) this.#lastLines.shift();
      }
      this.#listener.onLine(stream, line);
    });
  }

  #leave(path: string, body: string | Uint8Array, notice: string): void {
    const left = this.#lane.then(async () => {
      const headers = { [KEY_HEADER]: this.#key };
      const response = await this.#miniflare?.dispatchFetch(`http://plugin${path}`, {
        method: "POST",
        headers,
        body,
      });
      await response?.arrayBuffer();
      this.#say(notice);
    });
    this.#lane = left.catch(() => this.#gone("it took no large frame"));
  }

  #say(text: string): void {
    try {
      this.#socket?.send(text);
    } catch {
      // Its end will be told by itself.
    }
  }

  #gone(reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#listener.onGone(reason);
    void this.end();
  }
}

/** As the guest's and the addon's: longer ones would hold up small ones. */
const MAX_FRAME_LENGTH = 1024 * 1024;

/** What the gate asks for. */
const KEY_HEADER = "x-dev-key";

/** As many as the addon keeps of a process. */
const KEPT_LINES = 24;

/** Miniflare takes 0.3 s where a process of ours takes 0.03, and machines on which people develop are busy. */
const START_DEADLINE_MS = 10_000;

function overdue(): { passed: Promise<never>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    const late = () => reject(new Error(`it was not ready after ${START_DEADLINE_MS} ms`));
    timer = setTimeout(late, START_DEADLINE_MS).unref();
  });
  return { passed, cancel: () => clearTimeout(timer) };
}

/** Miniflare names a module by its path below the root. */
function modulesOf(modules: readonly Addon.NativeModule[]) {
  return {
    modulesRoot: "/",
    modules: modules.map(({ name, source }) => ({
      type: "ESModule" as const,
      path: `/${name}`,
      contents: source,
    })),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
