/** The `ctx` calls of one plugin that the host has not answered yet. */
import { refusalFrame, resultFrame } from "./frames.js";
import type { DevWorker } from "./worker.js";

/** The guest's own number of a call (0 wants no answer), which invocation made it, and where. */
export type GuestCall = { call: number; invocation: number; worker: DevWorker };

export class HostCalls {
  readonly #open = new Map<number, GuestCall>();
  readonly #onEnd: () => void;
  #last = 0;

  /** `onEnd` hears of each that has ended. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** Our number of it: the guest's may come twice. */
  begin(call: GuestCall): number {
    this.#last += 1;
    this.#open.set(this.#last, call);
    return this.#last;
  }

  get(number: number): GuestCall | undefined {
    return this.#open.get(number);
  }

  /** `value` is JSON text. */
  answer(number: number, value: string | undefined, bytes: Uint8Array | undefined): void {
    const found = this.#take(number);
    if (found === undefined) return;
    const { call, worker } = found;
    if (value !== undefined && !isJson(value)) {
      worker.send(refusalFrame(call, "the host's answer can't be read"));
    } else if (bytes) {
      worker.sendWithBytes(resultFrame(call, value, true), call, bytes);
    } else {
      worker.send(resultFrame(call, value));
    }
  }

  refuse(number: number, message: string, code?: string): void {
    const found = this.#take(number);
    found?.worker.send(refusalFrame(found.call, message, code));
  }

  /** Whether nothing is under way but what these invocations asked for. */
  areOf(invocations: ReadonlySet<number>): boolean {
    return [...this.#open.values()].every(({ invocation }) => invocations.has(invocation));
  }

  /** Forgets them with the process that made them. */
  clear(): void {
    this.#open.clear();
  }

  /** Call 0 wants no answer. */
  #take(number: number): GuestCall | undefined {
    const found = this.#open.get(number);
    if (this.#open.delete(number)) this.#onEnd();
    return found && found.call > 0 ? found : undefined;
  }
}

/** It is spliced into a frame, whatever a row of the database held. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
