/** What a site's own code finds in its `AsyncLocalStorage`s where a plugin's call has it run: nothing of any request's. */
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { MAY_MAIL } from "../support/gate.js";
import { ask, loadPlugin, makeRunner } from "../support/runner.js";

const MAILS = `export default { routes: { run: async ({ input }, ctx) => {
  await ctx.email.send({ to: "a@example.com", subject: "s", text: "x".repeat(input.length) });
  return "sent";
} } };`;

/** Some frames are heard by JavaScript's thread, and longer ones by another. */
const LENGTHS = [10, 100_000, 10];

describe("the site's own code that a plugin calls", () => {
  it("runs in no request's context, whichever it was made or asked in, and however long the call is", async () => {
    const requests = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const emailSend = async () => {
      seen.push(requests.getStore());
      await undefined;
      seen.push(requests.getStore());
    };
    const plugin = await requests.run("the first", () =>
      loadPlugin(makeRunner({ emailSend }), MAILS, MAY_MAIL),
    );
    for (const length of LENGTHS)
      await requests.run("another", async () => {
        await ask(plugin, { length });
        expect(requests.getStore(), "who asks keeps his own").toBe("another");
      });
    expect(seen).toEqual(Array.from({ length: 2 * LENGTHS.length }, () => undefined));
  });

  it("leaves nothing for the next call, of its own or of another runner", async () => {
    const requests = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const emailSend = async () => {
      seen.push(requests.getStore());
      requests.enterWith("left behind");
    };
    const plugins = [];
    for (const id of ["one", "other"])
      plugins.push(await loadPlugin(makeRunner({ emailSend }), MAILS, { ...MAY_MAIL, id }));
    for (const length of LENGTHS) for (const plugin of plugins) await ask(plugin, { length });
    expect(seen).toEqual(Array.from({ length: 2 * LENGTHS.length }, () => undefined));
  });
});
