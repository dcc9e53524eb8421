/** What a handler throws is its caller's to know, whatever it is, and nobody else's. */
import { describe, expect, it } from "vitest";
import { ask, loadPlugin, makeRunner } from "../support/runner.js";

/** A plugin with the hook and the route `run`, which both do this. */
function plugin(body: string) {
  const entry = `{ async run() { ${body} } }`;
  return loadPlugin(makeRunner(), `export default { hooks: ${entry}, routes: ${entry} };`);
}

describe("a handler that throws", () => {
  it.each([
    ["an Error", `throw new Error("boom")`, "boom", "boom"],
    ["an Error of its own class", `throw new (class MyError extends TypeError {})("mine")`, "mine", "mine"],
    ["an object with a message", `throw { message: "words", code: "E" }`, "words", "words"],
    ["a string", `throw "just text"`, "just text", "just text"],
    ["an empty Error", `throw new Error()`, "Hook error", "Route error"],
    ["null", `throw null`, "Hook error", "Route error"],
    ["undefined", `throw undefined`, "Hook error", "Route error"],
    ["a number", `throw 7`, "Hook error", "Route error"],
    ["a symbol", `throw Symbol("s")`, "Hook error", "Route error"],
    [
      "an object whose message throws when it is read",
      `throw { get message() { throw new Error("inner"); } }`,
      "Hook error",
      "Route error",
    ],
    [
      "a proxy that refuses everything",
      `throw new Proxy({}, { get() { throw 1; }, has() { throw 2; }, getPrototypeOf() { throw 3; } })`,
      "Hook error",
      "Route error",
    ],
    [
      "an object whose message is no text",
      `throw { message: { toString: () => "no" } }`,
      "Hook error",
      "Route error",
    ],
    ["a frozen Error", `throw Object.freeze(new Error("cold"))`, "cold", "cold"],
    ["an Error in a rejected promise", `return Promise.reject(new Error("later"))`, "later", "later"],
    ["after it waited", `await ctx; async function ctx() {} throw new Error("waited")`, "waited", "waited"],
    [
      "quotes and half a template",
      'throw new Error(`"}` + "\\\\" + "{\\"answer\\":1}")',
      '"}\\{"answer":1}',
      '"}\\{"answer":1}',
    ],
    ["text outside of ASCII", `throw new Error("é🦀")`, "é🦀", "é🦀"],
  ])(
    "%s gives its caller an Error with the plugin, the name and the words",
    async (_what, body, hook, route) => {
      const both = await plugin(body);
      await expect(both.invokeHook("run", {})).rejects.toThrow(
        new Error(`Plugin test:1.0.0 hook run failed: ${hook}`),
      );
      await expect(ask(both)).rejects.toThrow(new Error(`Plugin test:1.0.0 route run failed: ${route}`));
    },
  );

  it("an Error with half a character in its words is its caller's error like any other", async () => {
    const half = await plugin(`throw new Error("a\\ud800b")`);
    await expect(half.invokeHook("run", {})).rejects.toThrow(/^Plugin test:1\.0\.0 hook run failed: a.*b$/);
  });

  it("an Error of a megabyte gives its caller the beginning", async () => {
    const wordy = await plugin(`throw new Error("start " + "x".repeat(2 ** 21))`);
    await expect(wordy.invokeHook("run", {})).rejects.toThrow(
      /^Plugin test:1\.0\.0 hook run failed: start x+/,
    );
  });
});

describe("the stack of the error that its caller gets", () => {
  it("has the plugin's own lines first, and none of the guest's", async () => {
    const both = await loadPlugin(
      makeRunner(),
      `function inner() { throw new RangeError("deep"); }\nexport default { hooks: {\n  async run() { await 1; inner(); } } };`,
    );
    const error = await both.invokeHook("run", {}).catch((error: Error) => error);
    const [head, first, second, ...others] = String((error as Error).stack).split("\n");
    expect([head, first, second]).toEqual([
      "Error: Plugin test:1.0.0 hook run failed: deep",
      "    at inner (plugin.js:1:26)",
      "    at run (plugin.js:3:26)",
    ]);
    expect(others.length).toBeGreaterThan(0);
    expect(others.join()).not.toMatch(/channel\.js|boot\.js/);
  });

  it("is like any other, of what has none or a forged one", async () => {
    for (const thrown of [
      `"text"`,
      `{ message: "m", stack: 7 }`,
      `{ message: "m", stack: "\\n    at \\u001b[31m evil\\n    at nowhere.js:1:1" }`,
      `{ message: "m", get stack() { throw new Error("inner"); } }`,
    ]) {
      const forged = await plugin(`throw ${thrown}`);
      const error = await forged.invokeHook("run", {}).catch((error: Error) => error);
      expect((error as Error).stack).toMatch(
        /^Error: Plugin test:1\.0\.0 hook run failed: \w+\n {4}at (?!plugin)/,
      );
      expect((error as Error).stack).not.toMatch(/evil|nowhere|inner/);
    }
  });

  it("of a megabyte is cut, and an Error of many words has its lines still", async () => {
    const wordy = await plugin(`throw new Error("x".repeat(2 ** 20))`);
    const error = await wordy.invokeHook("run", {}).catch((error: Error) => error);
    expect((error as Error).stack).toContain("    at run (plugin.js:1:");
    const long = await plugin(`throw { message: "m", stack: "\\n    at plugin.js:1:1".repeat(100000) }`);
    const other = await long.invokeHook("run", {}).catch((error: Error) => error);
    expect((other as Error).stack?.match(/plugin\.js/g)).toHaveLength(8);
  });
});

describe("an answer that is no JSON", () => {
  it.each([
    ["a cycle", `const a = {}; a.a = a; return a`, /circular/],
    ["a BigInt", `return { n: 1n }`, /BigInt/],
    [
      "an object that throws when it is read",
      `return { get a() { throw new Error("unreadable"); } }`,
      /unreadable/,
    ],
  ])("fails the handler that gave it: %s", async (_what, body, why) => {
    const both = await plugin(body);
    await expect(both.invokeHook("run", {})).rejects.toThrow(why);
    await expect(ask(both)).rejects.toThrow(/^Plugin test:1\.0\.0 route run failed: /);
  });
});

it("a call that fails leaves its plugin's other calls, its state and its process alone", async () => {
  const runner = makeRunner();
  const counting = await loadPlugin(
    runner,
    `let calls = 0;
     export default { routes: { run({ input }) { calls += 1; if (input) throw new Error(input); return calls; } } };`,
  );
  const all = await Promise.allSettled([
    ask(counting),
    ask(counting, "a"),
    ask(counting),
    ask(counting, "b"),
  ]);
  expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
  expect(await ask(counting)).toBe(5);
  expect(runner.currentEpoch).toBe(1);
});

it("a promise that a plugin rejects and nobody awaits hurts nobody", async () => {
  const careless = await plugin(`Promise.reject(new Error("unheard")); Promise.reject(null); return 1`);
  expect(await ask(careless)).toBe(1);
  expect(await careless.invokeHook("run", {})).toBe(1);
});
