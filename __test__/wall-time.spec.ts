/** The deadline of a hook or route: what its caller is told, and that it can do nothing afterwards. */
import { describe, expect, it } from "vitest";
import { ask, loadPlugin, makeRunner, useDatabase } from "./support/runner.js";
import { until } from "./support/until.js";

const site = useDatabase();

describe("wall time", () => {
  // Long enough for a healthy call on a busy machine.
  const limits = { wallTimeMs: 1000 };

  it("fails the hook or route with EmDash's text, and the plugin goes on living", async () => {
    const runner = makeRunner({ limits });
    const forever = "() => new Promise(() => {})";
    const plugin = await loadPlugin(
      runner,
      `let calls = 0; export default { hooks: { h: ${forever} }, routes: { r: ${forever}, run: () => ++calls } };`,
    );
    expect(await ask(plugin)).toBe(1);
    await expect(plugin.invokeHook("h", {})).rejects.toThrow(
      new Error("Plugin test exceeded wall-time limit of 1000ms during hook:h"),
    );
    await expect(ask(plugin, {}, "r")).rejects.toThrow(
      new Error("Plugin test exceeded wall-time limit of 1000ms during route:r"),
    );
    expect(await ask(plugin)).toBe(2);
    expect(runner.currentEpoch).toBe(1);
  });

  it("ends the invocation's authority: nothing that it tries afterwards is written", async () => {
    const plugin = await loadPlugin(
      makeRunner({ db: site.db, limits }),
      `let end = "not yet"; export default { routes: {
         async slow(_, ctx) {
           await new Promise((resolve) => setTimeout(resolve, 1300));
           end = await ctx.kv.set("late", 1).then(() => "written", (error) => error.message);
         },
         run: async (_, ctx) => [end, await ctx.kv.get("late")],
       } };`,
    );
    await expect(ask(plugin, {}, "slow")).rejects.toThrow("exceeded wall-time limit");
    await until(async () => ((await ask(plugin)) as unknown[])[0] !== "not yet", "the late write is tried");
    const refusal = `Bridge call kv/set failed: {"error":"the hook or route that made this call is over"}`;
    expect(await ask(plugin)).toEqual([refusal, null]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    "of %d is refused by name, because it is no limit",
    (ms) => {
      expect(() => makeRunner({ limits: { wallTimeMs: ms } })).toThrow(
        expect.objectContaining({
          name: "RangeError",
          message: expect.stringContaining("limits.wallTimeMs"),
        }),
      );
    },
  );
});
