/** The invocations of one plugin: who waits for which, and until when each may act. */

export class Invocations {
  readonly #wallTimeMs: number;
  readonly #open = new Map<number, Open>();
  #last = 0;

  constructor(wallTimeMs: number) {
    this.#wallTimeMs = wallTimeMs;
  }

  /** `expired` is called when its time is up and it has not been answered. */
  begin(request: number, expired: () => void): number {
    this.#last += 1;
    const number = this.#last;
    const over = () => {
      const open = this.#open.get(number);
      this.#open.delete(number);
      if (open?.request !== undefined) expired();
    };
    const timer = setTimeout(over, this.#wallTimeMs).unref();
    this.#open.set(number, { request, until: performance.now() + this.#wallTimeMs, timer });
    return number;
  }

  /** Whom the answer is for. It does not end the invocation: what the handler has begun may go on until its time is up. */
  answer(number: number): number | undefined {
    const open = this.#open.get(number);
    const request = open?.request;
    if (open) open.request = undefined;
    return request;
  }

  mayAct(number: number): boolean {
    return this.timeLeft(number) !== null;
  }

  /** In milliseconds; null when it may do nothing more. */
  timeLeft(number: number): number | null {
    const left = (this.#open.get(number)?.until ?? 0) - performance.now();
    return left > 0 ? left : null;
  }

  /** Those that have not been answered. */
  get waited(): number[] {
    return [...this.#open].flatMap(([number, { request }]) => (request === undefined ? [] : number));
  }

  /** Ends all of them; the requests that nobody has answered. */
  close(): number[] {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const { timer } of all) clearTimeout(timer);
    return all.flatMap(({ request }) => request ?? []);
  }
}

type Open = { request: number | undefined; until: number; timer: NodeJS.Timeout };
