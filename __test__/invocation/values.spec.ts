/** What goes in comes out, as JSON has it. */
import { describe, expect, it } from "vitest";
import { ask, inPlugin, loadPlugin, makeRunner } from "../support/runner.js";

const ECHO = `export default { hooks: { echo: (event) => event }, routes: { run: ({ input }) => input } };`;

const MEGABYTE = 1024 * 1024;

function nested(depth: number): unknown {
  return JSON.parse("[".repeat(depth) + "]".repeat(depth));
}

describe("a value that goes through a hook and a route", () => {
  it.each<[what: string, value: unknown]>([
    ["null", null],
    ["false", false],
    ["zero", 0],
    ["a number of full precision", 0.1 + 0.2],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER],
    ["an empty string", ""],
    ["an empty object", {}],
    ["nested lists and objects", { a: [{ b: [null, { c: "d" }] }], e: {} }],
    ["a list in a list, 1000 deep", nested(1000)],
    ["text outside of ASCII", "é 🦀 \u2028 \u2029 \u0000 \u007f \ufeff"],
    ["an unpaired surrogate, which JavaScript allows", ["\ud800", "a\udc00b"]],
    [
      "keys that mean something elsewhere",
      JSON.parse(`{"__proto__":{"x":1},"constructor":2,"toJSON":3,"then":4}`),
    ],
    [
      "keys of the channel's own frames",
      { invoke: 1, answer: 2, stored: 3, error: { message: "m" }, value: 4 },
    ],
  ])("is %s on the other side, too", async (_what, value) => {
    const plugin = await loadPlugin(makeRunner(), ECHO);
    // As text: `toEqual` looks past a key `__proto__`.
    expect(JSON.stringify(await plugin.invokeHook("echo", value))).toBe(JSON.stringify(value));
    expect(JSON.stringify(await ask(plugin, value))).toBe(JSON.stringify(value));
  });

  it.each([
    ["5 MB of text", "x".repeat(5 * MEGABYTE)],
    ["5 MB of three-byte characters", "€".repeat((5 * MEGABYTE) / 3)],
    ["200,000 numbers", Array.from({ length: 200_000 }, (_, at) => at)],
    ["2 MB of unpaired surrogates", "\udc00".repeat(MEGABYTE / 3)],
  ])("may be %s, which takes the lane for large frames", async (_what, value) => {
    const plugin = await loadPlugin(makeRunner(), ECHO);
    const [byHook, byRoute] = await Promise.all([plugin.invokeHook("echo", value), ask(plugin, value)]);
    expect(JSON.stringify(byHook) === JSON.stringify(value)).toBe(true);
    expect(JSON.stringify(byRoute) === JSON.stringify(value)).toBe(true);
  });
});

describe("an answer", () => {
  it.each([
    ["undefined when the handler returns nothing", "", undefined],
    ["undefined for a function", "return () => 1", undefined],
    ["undefined for a symbol", "return Symbol.iterator", undefined],
    ["null for what is not a number", "return NaN", null],
    ["what toJSON makes of it", "return new Date(0)", "1970-01-01T00:00:00.000Z"],
    ["without its undefined members", "return { a: undefined, b: 1 }", { b: 1 }],
    ["what a promise resolves to", "return Promise.resolve(7)", 7],
    ["what a thenable resolves to", "return { then: (resolve) => resolve(8) }", 8],
  ])("is %s", async (_what, body, answer) => {
    expect(await inPlugin(body)).toEqual(answer);
  });

  it("is whole on both sides of the border between the two lanes", async () => {
    // 1 MiB, which the guest counts in UTF-16 units and the host in bytes.
    const body = `return "é".repeat(input)`;
    for (const length of [MEGABYTE - 100, MEGABYTE, MEGABYTE + 1]) {
      expect(await inPlugin(body, { input: length })).toHaveLength(length);
    }
  });

  it("of more than 64 MiB is refused with the limit in the reason, because the host holds it at once", async () => {
    const plugin = await loadPlugin(
      makeRunner({ limits: { memoryMb: 512 } }),
      `export default { routes: { run: ({ input }) => "x".repeat(input) } };`,
    );
    await expect(ask(plugin, 65 * MEGABYTE)).rejects.toThrow(/64 MiB/);
    expect(await ask(plugin, 3)).toBe("xxx");
  });
});

describe("a host that hands over what JSON can't hold", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;

  it.each<[what: string, value: unknown, why: RegExp]>([
    ["a cycle", cycle, /circular/],
    ["a BigInt", 1n, /BigInt/],
    [
      "an object that throws when it is read",
      {
        toJSON() {
          throw "no";
        },
      },
      /no/,
    ],
  ])("gets the plugin's usual error for %s", async (_what, value, why) => {
    const failed = (what: string) =>
      expect.objectContaining({
        name: "Error",
        message: expect.stringMatching(new RegExp(`^Plugin test:1\\.0\\.0 ${what} failed: .*${why.source}`)),
      });
    const plugin = await loadPlugin(makeRunner(), ECHO);
    await expect(plugin.invokeHook("echo", value)).rejects.toEqual(failed("hook echo"));
    await expect(ask(plugin, value)).rejects.toEqual(failed("route run"));
    expect(await plugin.invokeHook("echo", 1)).toBe(1);
  });
});
