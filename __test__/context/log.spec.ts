/** `ctx.log`: never an error for the plugin, never a trick on the operator's terminal. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();

/** The lines that the body logs, without their prefix. */
async function linesOf(body: string): Promise<string[]> {
  const plugin = await loadPlugin(makeRunner(), routeOf(`${body}; ctx.log.info("the end")`));
  await ask(plugin);
  await until(() => printed.at(-1)?.line === "[plugin:test] the end", "the last line");
  return printed.slice(0, -1).map(({ line }) => line.replace("[plugin:test] ", ""));
}

it("prints at its level, behind the plugin's name, with its data as JSON", async () => {
  await inPlugin(
    `ctx.log.debug("d"); ctx.log.info("i", { a: [1] }); ctx.log.warn("w", "x"); await ctx.log.error("e", null)`,
  );
  await until(() => printed.length >= 4, "four lines");
  expect(printed).toEqual([
    { level: "debug", line: "[plugin:test] d" },
    { level: "info", line: `[plugin:test] i {"a":[1]}` },
    { level: "warn", line: `[plugin:test] w "x"` },
    { level: "error", line: "[plugin:test] e null" },
  ]);
});

it.each<[what: string, call: string, line: string | RegExp]>([
  ["a cycle as data", `const a = {}; a.a = a; ctx.log.info("m", a)`, "m"],
  ["a BigInt as data", `ctx.log.info("m", 5n)`, `m "5"`],
  ["a symbol as data", `ctx.log.info("m", Symbol("s"))`, "m"],
  ["a function as data", `ctx.log.info("m", () => 1)`, "m"],
  [
    "an Error as data",
    `ctx.log.info("m", new TypeError("why"))`,
    /^m \{"name":"TypeError","message":"why","stack":".*plugin\.js/,
  ],
  ["a number as message", `ctx.log.info(5)`, "5"],
  ["undefined as message", `ctx.log.info()`, "undefined"],
  ["a symbol as message", `ctx.log.info(Symbol("s"))`, "Symbol(s)"],
  ["an object as message", `ctx.log.info({ toString: () => "text" })`, "text"],
  ["half a character", `ctx.log.info("a\\ud800b")`, /^a.*b$/],
  ["an empty message", `ctx.log.info("")`, ""],
])("takes %s", async (_what, call, line) => {
  const lines = await linesOf(call);
  expect(lines).toEqual([
    expect.stringMatching(line instanceof RegExp ? line : new RegExp(`^${escaped(line)}`)),
  ]);
});

it.each([
  [
    "data that throws when it is read",
    `ctx.log.info("m", { get a() { throw 1; }, toString() { throw 2; } })`,
  ],
  ["a message that throws when it is read", `ctx.log.info({ toString() { throw 1; } })`],
  [
    "an Error whose stack throws",
    `const e = new Error("x"); Object.defineProperty(e, "stack", { get() { throw 1; } }); ctx.log.info("m", e)`,
  ],
  [
    "a proxy that refuses everything",
    `ctx.log.info("m", new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } }))`,
  ],
])("%s fails neither the plugin nor the lines after it", async (_what, call) => {
  expect(await linesOf(`${call}; ctx.log.info("after")`)).toContain("after");
});

it("a plugin can't move the cursor, colour the terminal or begin a line of somebody else", async () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through.
  const control = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
  const nasty = `"\\u001b[31m\\r\\n[emdash:workerd] fake\\u0007\\u009b2J\\u2028\\u202e\\u0000"`;
  const lines = await linesOf(
    `ctx.log.info(${nasty}); ctx.log.error("m", { [${nasty}]: ${nasty} }); ctx.log.info("m", ${nasty})`,
  );
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(line).not.toMatch(control);
  expect(lines[0]).toContain("\\u{1b}[31m");
});

it("a plugin's id can't do it either", async () => {
  await inPlugin(`await ctx.log.info("m")`, { manifest: { id: "a\u001b[2J\nb" } });
  await until(() => printed.length > 0, "a line");
  expect(printed).toEqual([{ level: "info", line: "[plugin:a\\u{1b}[2J\\u{a}b] m" }]);
});

it("a line of megabytes is cut, and says how much is missing", async () => {
  await inPlugin(`ctx.log.info("x".repeat(2 ** 21))`);
  await until(() => printed.length > 0, "the line");
  expect(printed[0]?.line).toMatch(/^\[plugin:test\] x{8000,8200}… \(\d+ bytes cut\)$/);
});

it("what a plugin prints with console has both names before it, because workerd writes it", async () => {
  await inPlugin(`console.log("printed"); console.error("complained")`);
  await until(() => printed.length >= 2, "two lines");
  for (const words of ["printed", "complained"]) {
    const [line] = printed.filter((each) => each.line.includes(words));
    expect(line?.line).toMatch(/^\[emdash:workerd\] \[plugin:test\] /);
  }
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
