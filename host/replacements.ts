/** Loads that stand in for others: until the new one serves, or has failed to, the old one goes on. */
import type { SandboxedPlugin } from "./plugin.js";

export class Replacements {
  /** By the new load's number, all that it stands in for. */
  readonly #waiting = new Map<number, { next: SandboxedPlugin; previous: SandboxedPlugin[] }>();

  /** `next` is to take the place of `previous`, and of what that one was to take the place of itself. */
  begin(next: SandboxedPlugin, previous: SandboxedPlugin): void {
    const inherited = this.#waiting.get(previous.number)?.previous ?? [];
    this.#waiting.delete(previous.number);
    this.#waiting.set(next.number, { next, previous: [previous, ...inherited] });
  }

  /** It serves, has failed to start, or has been unloaded: either way it is what its id stands for. */
  settle(number: number): void {
    const replacement = this.#waiting.get(number);
    if (replacement === undefined) return;
    this.#waiting.delete(number);
    for (const previous of replacement.previous) previous.yieldTo(replacement.next);
  }
}
