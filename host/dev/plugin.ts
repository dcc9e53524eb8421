/** One loaded plugin in development: its worker, its invocations and what its guest asks for. */
import type * as Addon from "../../index.js";
import type { PluginState } from "../status.js";
import { invokeFrame, refusalFrame, resultFrame } from "./frames.js";
import { HostCalls } from "./host-calls.js";
import { Invocations } from "./invocations.js";
import type { Outbox } from "./outbox.js";
import type { DevWorker, WorkerContext } from "./worker.js";

export type Names = { hooks: string[]; routes: string[] };

export type Invocation = { request: number; kind: "hook" | "route"; name: string; payload: string };

export type Subject = {
  number: number;
  description: Addon.NativeDescription;
  /** What is known of its code already. */
  names: Names | null;
  context: WorkerContext;
  wallTimeMs: number;
  outbox: Outbox;
  onReady(names: Names): void;
};

export class DevPlugin {
  readonly #subject: Subject;
  #names: Names | null;
  /** The worker that serves or is about to; gone when a start failed or a process ended. */
  #worker: Promise<DevWorker> | undefined;
  #serving: DevWorker | undefined;
  /** The one whose start was the last, and what ends the wait for its guest's report. */
  #latest: { worker: DevWorker; giveUp: (error: Error) => void } | undefined;
  #failure: { reason: string; retryAt: number } | undefined;
  #invocations: Invocations;
  readonly #calls = new HostCalls(() => this.#checkDrained());
  #end: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  /** Invocations that the end does not wait for. */
  readonly #excused = new Set<number>();
  readonly #status = {
    state: "idle" as PluginState,
    since: Date.now(),
    starts: 0,
    failures: 0,
    lastFailures: [] as Addon.NativePluginFailure[],
  };

  constructor(subject: Subject) {
    this.#subject = subject;
    this.#names = subject.names;
    this.#invocations = new Invocations(subject.wallTimeMs);
  }

  get id(): string {
    return this.#subject.description.id;
  }

  get version(): string {
    return this.#subject.description.version;
  }

  /** In the background; a failure is told to the operator here, and to each call that needed it. */
  start(): void {
    this.#ready().catch(() => undefined);
  }

  ensureRunning(request: number): void {
    this.#ready().then(
      () => this.#done(request, null),
      (error) => this.#fail(request, "unavailable", reasonOf(error)),
    );
  }

  invoke(invocation: Invocation): void {
    const { request } = invocation;
    if (this.#end) {
      this.#fail(request, "unavailable", UNLOADED);
    } else if (this.#names && !this.#has(invocation)) {
      // A name that the plugin does not have needs no worker.
      this.#answerMissing(invocation);
    } else if (this.#serving) {
      this.#send(this.#serving, invocation);
    } else {
      this.#ready().then(
        () => this.invoke(invocation),
        (error) => this.#fail(request, "unavailable", reasonOf(error)),
      );
    }
  }

  /** The host's answer to a call. */
  get calls(): HostCalls {
    return this.#calls;
  }

  /** Whether an operation may begin; refuses it when its invocation is over. */
  mayBegin(number: number): boolean {
    if (this.mayWrite(number)) return true;
    this.#calls.refuse(number, OVER);
    return false;
  }

  /** Whether a `ctx` call that is under way may still do what it was made for. */
  mayWrite(number: number): boolean {
    const found = this.#calls.get(number);
    return found !== undefined && this.#invocations.mayAct(found.invocation);
  }

  /** Refuses calls from now on; resolves when those in flight have ended, or their time is up, and no worker is left. */
  terminate(): Promise<void> {
    this.#end ??= this.#terminate();
    return this.#end;
  }

  /** Does not wait for the invocation that made this call: it waits for the end itself. */
  excuse(call: number): void {
    const invocation = this.#calls.get(call)?.invocation;
    if (invocation !== undefined) this.#excused.add(invocation);
    this.#checkDrained();
  }

  status(): Addon.NativePluginStatus {
    const { id, version } = this;
    const inFlight = this.#invocations.waited.length;
    return { id, version, ...this.#status, nextStart: null, processId: null, inFlight, used: null };
  }

  #tell(state: PluginState, failure?: string): void {
    this.#status.state = state;
    this.#status.since = Date.now();
    if (state === "serving") this.#status.starts += 1;
    if (failure === undefined) return;
    this.#status.failures += 1;
    this.#status.lastFailures = [
      ...this.#status.lastFailures.slice(1 - KEPT_FAILURES),
      { at: this.#status.since, reason: failure },
    ];
  }

  async #terminate(): Promise<void> {
    this.#tell("draining");
    if (!this.#isDrained) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        setTimeout(resolve, DRAIN_TIME_MS).unref();
      });
    }
    this.#failInFlight("it was unloaded, and this call did not end in time");
    await this.#latest?.worker.end();
    this.#latest?.giveUp(new Error(UNLOADED));
    await this.#worker?.catch(() => undefined);
  }

  #ready(): Promise<DevWorker> {
    if (this.#end) return Promise.reject(new Error(UNLOADED));
    if (this.#failure && performance.now() < this.#failure.retryAt) {
      return Promise.reject(new Error(this.#failure.reason));
    }
    this.#worker ??= this.#start();
    return this.#worker;
  }

  async #start(): Promise<DevWorker> {
    // Not with the package: in production nobody needs it.
    const { DevWorker } = await import("./worker.js");
    if (this.#end) throw new Error(UNLOADED);
    const { context, description, number, outbox, onReady } = this.#subject;
    let greeted: (names: Names) => void = () => {};
    let refused: (error: Error) => void = () => {};
    const greeting = new Promise<Names>((resolve, reject) => {
      greeted = resolve;
      refused = reject;
    });
    // Whoever starts it hears of it; until then a refusal is nobody's.
    greeting.catch(() => undefined);
    const worker = new DevWorker({
      onFrame: (text) => {
        const frame = this.#read(text);
        if (this.#serving === worker) this.#onFrame(worker, frame);
        else if (frame?.kind === "ready") greeted({ hooks: frame.hooks, routes: frame.routes });
        else if (frame?.kind === "broken") refused(new Error(frame.reason));
        else refused(new Error("it did not say that it was ready"));
      },
      onLine: (source, line) => {
        const level = source === "stderr" ? "warn" : "info";
        this.#log(source, level, this.#printable(line), null);
      },
      timeLeft: (invocation) => this.#invocations.timeLeft(invocation),
      onGone: (reason) => {
        refused(new Error(reason));
        if (this.#serving === worker) this.#gone(reason);
      },
    });
    this.#latest = { worker, giveUp: refused };
    this.#tell("starting");
    try {
      await worker.start(context, description);
      this.#names = await greeting;
    } catch (error) {
      await worker.end();
      const reason = this.#end ? UNLOADED : this.#printable(reasonOf(error));
      this.#failure = { reason, retryAt: performance.now() + RETRY_AFTER_MS };
      this.#worker = undefined;
      // That it was given up is no news to who unloaded it.
      if (!this.#end) this.#log("notice", "warn", `can't start: ${reason}`, null);
      this.#tell("failed", reason);
      outbox.push(["broken", number]);
      throw new Error(reason);
    }
    this.#failure = undefined;
    this.#serving = worker;
    this.#tell("serving");
    onReady(this.#names);
    outbox.push(["ready", number, this.#names.hooks, this.#names.routes]);
    return worker;
  }

  #send(worker: DevWorker, { request, kind, name, payload }: Invocation): void {
    const number = this.#invocations.begin(request, () => {
      this.#fail(request, "wall_time", `${this.#subject.wallTimeMs}ms`);
      this.#checkDrained();
    });
    worker.send(invokeFrame(number, kind, name, payload));
  }

  #has({ kind, name }: Invocation): boolean {
    const names = kind === "hook" ? this.#names?.hooks : this.#names?.routes;
    return names?.includes(name) ?? false;
  }

  #answerMissing({ request, kind, name }: Invocation): void {
    if (kind === "hook") this.#done(request, null);
    else this.#fail(request, "threw", this.#printable(`Route not found: ${name}`));
  }

  #read(text: string): Addon.NativeFrame | null {
    const { context, description } = this.#subject;
    return context.addon.readFrame(text, description.capabilities, description.collections);
  }

  #onFrame(worker: DevWorker, frame: Addon.NativeFrame | null): void {
    switch (frame?.kind) {
      case "call":
      case "refused":
        this.#onCall(worker, frame);
        break;
      case "done":
      case "failed": {
        const request = this.#invocations.answer(frame.invocation);
        if (request === undefined) break;
        if (frame.kind === "done") this.#done(request, frame.value);
        else this.#fail(request, frame.code, frame.message, frame.stack);
        this.#checkDrained();
        break;
      }
      default:
        this.#gone("it sent a frame that the guest's own code would not send");
        void worker.end();
    }
  }

  #onCall(worker: DevWorker, frame: CallFrame): void {
    const { call, invocation } = frame;
    const answer = (text: string) => {
      // Call 0 wants no answer.
      if (call > 0) worker.send(text);
    };
    if (!this.#invocations.mayAct(invocation)) {
      answer(refusalFrame(call, OVER));
    } else if (frame.kind === "refused") {
      answer(refusalFrame(call, frame.message));
    } else if (frame.method === "log") {
      const [level, message, data] = frame.args;
      this.#log("plugin", level ?? "info", message ?? "", data ?? null);
      answer(resultFrame(call, "null"));
    } else {
      const { method, args } = frame;
      const { number: plugin, outbox } = this.#subject;
      const number = this.#calls.begin({ call, invocation, worker });
      const push = (upload: Buffer | null) => outbox.push(["call", plugin, number, method, args, upload]);
      // Without its bytes the operation refuses the call.
      if (method === "media/upload") worker.upload(Number(args.at(-1))).then(push, () => push(null));
      else push(null);
    }
  }

  /** The next call starts another one. */
  #gone(reason: string): void {
    this.#serving = undefined;
    this.#worker = undefined;
    this.#calls.clear();
    this.#log("notice", "warn", `stopped: ${reason}`, null);
    this.#tell("idle", reason);
    this.#failInFlight(reason);
  }

  #failInFlight(reason: string): void {
    for (const request of this.#invocations.close()) this.#fail(request, "unavailable", reason);
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#isDrained) this.#drained?.();
  }

  get #isDrained(): boolean {
    return (
      this.#invocations.waited.every((invocation) => this.#excused.has(invocation)) &&
      this.#calls.areOf(this.#excused)
    );
  }

  #done(request: number, value: string | null): void {
    this.#subject.outbox.push(["done", request, value]);
  }

  #fail(request: number, code: string, message: string, stack: string | null = null): void {
    this.#subject.outbox.push(["failed", request, code, message, stack]);
  }

  #printable(line: string): string {
    return this.#subject.context.addon.printableLine(line);
  }

  #log(source: string, level: string, message: string, data: string | null): void {
    const pluginId = this.#subject.description.label;
    this.#subject.outbox.push(["log", source, pluginId, level, message, data]);
  }
}

/** As in the addon: how long a plugin whose start failed keeps failing before a call makes it try again. */
const RETRY_AFTER_MS = 1000;

/** As in the addon: how long the calls in flight of an unloaded plugin may take to end. */
const DRAIN_TIME_MS = 5000;

/** As in the addon. */
const KEPT_FAILURES = 5;

export const UNLOADED = "it was unloaded";

const OVER = "the hook or route that made this call is over";

type CallFrame = Extract<Addon.NativeFrame, { kind: "call" | "refused" }>;

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
