/** Bytes that a plugin has sent ahead of the call that names them. */

export class Uploads {
  readonly #bodies = new Map<number, Buffer>();
  #last = 0;
  #bytes = 0;

  keep(body: Buffer): number {
    this.#last += 1;
    this.#bodies.set(this.#last, body);
    this.#bytes += body.length;
    for (const [number, oldest] of this.#bodies) {
      if (number === this.#last || this.#bytes <= MAX_WAITING_BYTES) break;
      this.#bodies.delete(number);
      this.#bytes -= oldest.length;
    }
    return this.#last;
  }

  /** Hands a body out, once. */
  take(number: number): Buffer | undefined {
    const body = this.#bodies.get(number);
    this.#bodies.delete(number);
    this.#bytes -= body?.length ?? 0;
    return body;
  }
}

/** As in `src/channel/uploads.rs`: past it the plugin has forgotten the oldest. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
