/** The way back from the addon: requests that wait for an answer, and everything else that it has to tell. */
import type { NativeRunner } from "../index.js";
import { explain, RequestError } from "./errors.js";
import { warn } from "./log.js";

type Pending = { resolve: (value: string | undefined) => void; reject: (error: RequestError) => void };

/** A list: its kind, and what `src/binding/event.rs` says of that. */
export type NativeEvent = ReturnType<NativeRunner["drain"]>[number];
export type EventOf<Kind extends NativeEvent[0]> = Extract<NativeEvent, readonly [kind: Kind, ...unknown[]]>;

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
    for (const event of this.native.drain()) {
      try {
        this.#receive(event);
      } catch (error) {
        // One event's trouble, such as a console that throws, must not keep the others from those who wait for them.
        complain(error);
      }
    }
  }

  #receive(event: NativeEvent): void {
    switch (event[0]) {
      case "done": {
        const [, request, value] = event;
        this.#take(request)?.resolve(value ?? undefined);
        break;
      }
      case "failed": {
        const [, request, code, message, stack] = event;
        this.#take(request)?.reject(new RequestError({ code, message, stack }));
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
      case "more":
        // In another turn, so that a plugin that says much does not hold up the host.
        setImmediate(() => this.drain());
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
