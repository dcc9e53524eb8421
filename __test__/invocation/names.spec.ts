/** Which hooks and routes a plugin has, and what reaches them. */
import { describe, expect, it } from "vitest";
import { ask, inPlugin, loadPlugin, makeRunner, REQUEST } from "../support/runner.js";

const INHERITED = ["toString", "constructor", "__proto__", "hasOwnProperty", "valueOf"];

describe("a name that the plugin does not have", () => {
  const code = `export default { hooks: { known: () => "hook" }, routes: { known: () => "route" } };`;

  it.each([...INHERITED, "unknown", "", "../hook/known"])("is no hook and no route: %j", async (name) => {
    const plugin = await loadPlugin(makeRunner(), code);
    const missing = `Plugin test:1.0.0 route ${name} failed: Route not found: ${name}`;
    // Asked while the process starts, when nobody knows the plugin's names, and again when they are known.
    const early = [plugin.invokeHook(name, {}), ask(plugin, {}, name)] as const;
    await expect(early[1]).rejects.toThrow(new Error(missing));
    expect(await early[0]).toBeUndefined();
    expect(await plugin.invokeHook(name, {})).toBeUndefined();
    await expect(ask(plugin, {}, name)).rejects.toThrow(new Error(missing));
  });

  it("is not looked for in the other section, because a route must not reach a hook", async () => {
    const plugin = await loadPlugin(
      makeRunner(),
      `export default { hooks: { a() {} }, routes: { b() {} } };`,
    );
    await expect(ask(plugin, {}, "a")).rejects.toThrow("Route not found: a");
    expect(await plugin.invokeHook("b", {})).toBeUndefined();
  });

  it("is answered without a process when the code has run before", async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, code, { id: "first" });
    await plugin.ensureRunning();
    const again = await loadPlugin(runner, code, { id: "second" });
    expect(await again.invokeHook("page:metadata", {})).toBeUndefined();
    expect(runner.currentEpoch).toBe(1);
  });
});

it("a hook that is known not to be there is answered in the same turn, because every page view asks for it", async () => {
  const plugin = await loadPlugin(makeRunner(), "export default {};");
  await plugin.ensureRunning();
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  // The addon can only answer in another turn of the event loop.
  for (let view = 0; view < 100; view += 1)
    expect(await plugin.invokeHook("page:metadata", {})).toBeUndefined();
  expect(turned).toBe(false);
});

it.each(INHERITED)("a hook and a route called %s exist when they are the plugin's own", async (name) => {
  const own = `{ [${JSON.stringify(name)}]: () => "own" }`;
  const plugin = await loadPlugin(makeRunner(), `export default { hooks: ${own}, routes: ${own} };`);
  expect(await plugin.invokeHook(name, {})).toBe("own");
  expect(await ask(plugin, {}, name)).toBe("own");
});

describe("a definition", () => {
  it.each([
    ["as a plain default export", `export default DEFINITION;`],
    ["wrapped once more in default, as a bundler may", `export default { default: DEFINITION };`],
    [
      "made with definePlugin",
      `import { definePlugin } from "emdash"; export default definePlugin(DEFINITION);`,
    ],
  ])("%s is found", async (_how, code) => {
    const definition = `{ hooks: { h: (event) => event.n + 1 }, routes: { r: ({ input }) => input.n + 2 } }`;
    const plugin = await loadPlugin(makeRunner(), code.replace("DEFINITION", definition));
    expect(await plugin.invokeHook("h", { n: 1 })).toBe(2);
    expect(await ask(plugin, { n: 1 }, "r")).toBe(3);
  });

  it("may give its entries as objects with a handler and settings beside it", async () => {
    const entry = `{ handler: async () => "handled", priority: 5, public: true }`;
    const plugin = await loadPlugin(
      makeRunner(),
      `export default { hooks: { h: ${entry} }, routes: { r: ${entry} } };`,
    );
    expect(await plugin.invokeHook("h", {})).toBe("handled");
    expect(await ask(plugin, {}, "r")).toBe("handled");
  });

  it.each(["{ handler: 1 }", "{}", "5", `"text"`])(
    "whose handler is %s says so when it is called",
    async (entry) => {
      const plugin = await loadPlugin(
        makeRunner(),
        `export default { hooks: { h: ${entry} }, routes: { r: ${entry} } };`,
      );
      await expect(plugin.invokeHook("h", {})).rejects.toThrow(
        "Plugin test:1.0.0 hook h failed: Hook h handler is not a function",
      );
      await expect(ask(plugin, {}, "r")).rejects.toThrow(
        "Plugin test:1.0.0 route r failed: Route r handler is not a function",
      );
    },
  );

  it("may have no routes, or nothing at all", async () => {
    for (const code of ["export default { hooks: { h() {} } };", "export default {};"]) {
      const plugin = await loadPlugin(makeRunner(), code);
      expect(await plugin.invokeHook("h", {})).toBeUndefined();
      await expect(ask(plugin, {}, "r")).rejects.toThrow("Route not found: r");
    }
  });
});

it("a route gets its input, the request, and the request's meta and user by themselves", async () => {
  const request = {
    ...REQUEST,
    headers: { "x-a": "b" },
    meta: { ip: "::1", userAgent: "ua", referer: null, geo: null },
    user: { id: "u1", email: "a@b.example", name: "A", role: 50 },
  };
  const plugin = await loadPlugin(makeRunner(), `export default { routes: { run: (all) => all } };`);
  expect(await plugin.invokeRoute("run", { a: 1 }, request)).toEqual({
    input: { a: 1 },
    request,
    requestMeta: request.meta,
    user: request.user,
  });
});

it("a route without input, meta and user gets undefined for them", async () => {
  expect(await inPlugin("return [input, user].map((value) => value === undefined)")).toEqual([true, true]);
});
