/** Calls that stay in a plugin until the test lets them go: they wait for the site's mail. */
import type { SandboxOptions } from "emdash";
import { routeOf } from "./runner.js";
import { until } from "./until.js";

/** Its manifest must have {@link MAY_MAIL}. */
export const GATED = routeOf(
  `await ctx.email.send({ to: "a@b.example", subject: "s", text: "t" }); return "done"`,
);

export const MAY_MAIL = { capabilities: ["email:send"] };

export class Gate {
  #open = () => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });
  #count = 0;

  /** For the runner's options. */
  readonly emailSend: NonNullable<SandboxOptions["emailSend"]> = async () => {
    this.#count += 1;
    await this.#opened;
  };

  /** Resolves when so many calls have come to it. */
  entered(count = 1): Promise<void> {
    return until(() => this.#count >= count, `${count} calls are in the plugin`);
  }

  open(): void {
    this.#open();
  }
}
