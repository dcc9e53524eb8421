/** Events that wait for the inbox, as the addon's own do. */
import type { NativeEvent } from "../inbox.js";

export class Outbox {
  readonly #wake: () => void;
  #waiting: NativeEvent[] = [];
  #isTold = false;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  push(event: NativeEvent): void {
    this.#waiting.push(event);
    if (this.#isTold) return;
    this.#isTold = true;
    // Never from inside the call that made the event: the addon does not either.
    queueMicrotask(this.#wake);
  }

  /** As many as the addon gives in one turn of the event loop. */
  take(): NativeEvent[] {
    const events = this.#waiting.splice(0, MAX_DRAIN);
    this.#isTold = this.#waiting.length > 0;
    if (this.#isTold) events.push(["more"]);
    return events;
  }
}

const MAX_DRAIN = 64;
