/** What is too large for a frame: it arrives, or it is refused by its limit, and the plugin goes on either way. */
import { describe, expect, it } from "vitest";
import { useConsole } from "./support/console.js";
import { ask, isOnPorts, loadPlugin, makeRunner, routeOf, useDatabase } from "./support/runner.js";

useConsole();
const site = useDatabase();

const MEGABYTE = 2 ** 20;
/** Room for what the tests hold and do: the text, and what JSON makes of it. */
const limits = { memoryMb: 1024, cpuMs: 20_000 };

describe("fifty megabytes", () => {
  it("arrive as an event and as an answer", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits }),
      `export default { hooks: { back: (event) => event }, routes: { run: ({ input }) => input.text.length } };`,
    );
    const event = { text: "x".repeat(50 * MEGABYTE) };
    expect(await ask(plugin, event)).toBe(50 * MEGABYTE);
    const back = (await plugin.invokeHook("back", event)) as typeof event;
    expect(back.text === event.text).toBe(true);
  });

  it("are more than a plugin has memory for by default, which is what its caller is told, or get by between two looks", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { cpuMs: 20_000 } }),
      `export default { routes: { run: ({ input }) => input.length } };`,
    );
    const refused = "Plugin test exceeded memory limit of 128MB during route:run";
    const told = await ask(plugin, "x".repeat(50 * MEGABYTE)).catch(({ message }: Error) => message);
    // On ports nothing but a look bounds memory, and what is over before the look is over.
    expect(isOnPorts() ? [refused, 50 * MEGABYTE] : [refused]).toContain(told);
    expect(await ask(plugin, "x".repeat(10 * MEGABYTE))).toBe(10 * MEGABYTE);
  });

  it("arrive while small calls pass them", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits }),
      `export default { routes: { large: ({ input }) => input, run: ({ input }) => input } };`,
    );
    const text = "é".repeat(25 * MEGABYTE);
    const [large, ...small] = await Promise.all([
      ask(plugin, text, "large"),
      ...Array.from({ length: 50 }, (_, at) => ask(plugin, at)),
    ]);
    expect(large === text).toBe(true);
    expect(small).toEqual(Array.from({ length: 50 }, (_, at) => at));
  });
});

describe("seventy megabytes", () => {
  const text = "x".repeat(70 * MEGABYTE);

  it("are refused as an event, by the limit's name", async () => {
    const plugin = await loadPlugin(makeRunner({ limits }), routeOf("return 'here'"));
    await expect(ask(plugin, text)).rejects.toThrow("more than 64 MiB as JSON");
    expect(await ask(plugin, "small")).toBe("here");
  });

  it("are refused as an answer and as an argument of ctx, by the limit's name", async () => {
    const runner = makeRunner({ db: site.db, limits });
    const plugin = await loadPlugin(
      runner,
      `export default { routes: { run: ({ input }) => "x".repeat(input),
        put: ({ input }, ctx) => ctx.kv.set("k", "x".repeat(input)).then(() => "stored", (error) => error.message) } };`,
    );
    await expect(ask(plugin, text.length)).rejects.toThrow("limited to 64 MiB");
    expect(await ask(plugin, text.length, "put")).toContain("limited to 64 MiB");
    expect(await ask(plugin, 3)).toBe("xxx");
  });
});
