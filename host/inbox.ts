/** The way back from the addon: requests that wait for an answer, and everything else that it has to tell. */
import type { NativeEvent, NativeRunner } from "../index.js";
import { explain, RequestError } from "./errors.js";
import { warn } from "./log.js";

type Pending = { resolve: (value: string | undefined) => void; reject: (error: RequestError) => void };

export type EventOf<Kind extends NativeEvent["kind"]> = Extract<NativeEvent, { kind: Kind }>;

export interface Listener {
  onReady(event: EventOf<"ready">): void;
  onBroken(event: EventOf<"broken">): void;
  onCall(event: EventOf<"call">): void;
  onLog(event: EventOf<"log">): void;
}

export class Inbox {
  readonly native: NativeRunner;
  readonly #listener: Listener;
  readonly #pending = new Map<number, Pending>();
  #lastRequest = 0;

  /**
   * `create` makes the addon's runner with the callback that wakes this inbox. The callback holds the inbox weakly: a
   * runner that nobody holds, and from which nobody awaits anything, is collected, and its processes end.
   */
  constructor(create: (wake: () => void) => NativeRunner, listener: Listener) {
    const inbox = new WeakRef(this);
    this.native = create(() => inbox.deref()?.drain());
    this.#listener = listener;
  }

  /** Sends a request and waits for its answer: JSON text, or undefined. */
  request(send: (native: NativeRunner, request: number) => void): Promise<string | undefined> {
    const request = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { resolve, reject });
      if (this.#pending.size === 1) keepAlive(this);
      try {
        send(this.native, request);
      } catch (error) {
        this.#take(request);
        reject(error);
      }
    });
  }

  drain(): void {
    const { events, more } = this.native.drain();
    for (const event of events) {
      try {
        this.#receive(event);
      } catch (error) {
        // One event's trouble, such as a console that throws, must not keep the others from those who wait for them.
        complain(error);
      }
    }
    // In another turn, so that a plugin that says much does not hold up the host.
    if (more) setImmediate(() => this.drain());
  }

  #receive(event: NativeEvent): void {
    switch (event.kind) {
      case "done":
        this.#take(event.request)?.resolve(event.value ?? undefined);
        break;
      case "failed": {
        const { code, message, stack } = event;
        this.#take(event.request)?.reject(new RequestError({ code, message, stack }));
        break;
      }
      case "call":
        this.#listener.onCall(event);
        break;
      case "ready":
        this.#listener.onReady(event);
        break;
      case "broken":
        this.#listener.onBroken(event);
        break;
      case "log":
        this.#listener.onLog(event);
        break;
    }
  }

  #take(request: number): Pending | undefined {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    if (this.#pending.size === 0) letGo(this);
    return pending;
  }
}

function complain(error: unknown): void {
  try {
    warn(`An event of the addon could not be handled: ${explain(error)}`);
  } catch {
    // The console is what fails.
  }
}

/** Inboxes from which somebody awaits something. */
const busy = new Set<Inbox>();

/** Holds the event loop open while there are any; the addon itself never does. */
const heartbeat = setInterval(() => {}, 2 ** 31 - 1).unref();

function keepAlive(inbox: Inbox): void {
  busy.add(inbox);
  heartbeat.ref();
}

function letGo(inbox: Inbox): void {
  busy.delete(inbox);
  if (busy.size === 0) heartbeat.unref();
}
