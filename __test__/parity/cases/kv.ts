import {
  as,
  type Case,
  cycle,
  differs,
  NO_STRINGS,
  nothing,
  ODD_NAMES,
  refused,
  repeat,
  same,
  throwing,
  value,
} from "../case.js";

const VALUES: [name: string, value: unknown][] = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["zero", 0],
  ["minus zero", -0],
  ["a fraction", 1.5],
  ["the largest number", Number.MAX_VALUE],
  ["the smallest number", 5e-324],
  ["a number past 2^53", 2 ** 60],
  ["NaN", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
  ["an empty text", ""],
  ["a text", "text"],
  ["a text that looks like JSON", '{"a":1}'],
  ["a text with quotes, a backslash and line ends", "'\"\\\r\n\u2028"],
  ["emoji", "🦀👩‍👩‍👧"],
  ["a text with NUL", "a\u0000b"],
  ["half a character", "a\ud800b"],
  ["an empty object", {}],
  ["an empty array", []],
  ["an array with holes to fill", [undefined, null, Number.NaN, () => {}, Symbol("s")]],
  ["an object with what JSON drops", { a: undefined, b: () => {}, c: Symbol("s"), d: null }],
  ["__proto__ as a key", JSON.parse('{"__proto__":{"a":1},"constructor":2,"$":"undefined"}')],
  ["odd keys", Object.fromEntries(ODD_NAMES.map((name) => [name, name]))],
  ["a date", new Date(1)],
  ["an invalid date", new Date(Number.NaN)],
  ["a map", new Map([["a", 1]])],
  ["a set", new Set([1])],
  ["bytes", new Uint8Array([1, 2, 255])],
  ["a part of a buffer", new Uint16Array(new Uint8Array([9, 9, 1, 0, 2, 0]).buffer, 2, 2)],
  ["a buffer", new Uint8Array([1]).buffer],
  ["an error", new Error("what")],
  ["fifty levels", JSON.parse("[".repeat(50) + "]".repeat(50))],
  ["a megabyte", repeat("é", 500_000)],
  ["a BigInt", 1n],
  ["a cycle", cycle()],
  ["what throws when it is written", throwing],
];

const SURROGATE = "Parameter key must not contain an unpaired surrogate";
const LONG = "k".repeat(100_000);
const NUL = "Parameter key must not contain NUL";
const UNDEFINED = [refused("kv/set", "Missing required parameter: value"), value(null)];

function setAndGet(name: string, key: string, stored: unknown): Case {
  return same(name, ["kv.set", key, stored], ["kv.get", key], ["kv.delete", key], ["kv.get", key]);
}

function list(name: string, keys: string[], ...prefix: unknown[]): Case {
  const sets = keys.map((key) => ["kv.set", key, key] as const);
  return same(name, ...sets, ["kv.list", ...prefix]);
}

export const kv: Case[] = [
  ...VALUES.map(([name, stored]) => setAndGet(`keeps ${name}`, `value of ${name}`, stored)),
  ...ODD_NAMES.map((key) => setAndGet(`takes ${JSON.stringify(key)} as a key`, key, { key })),
  setAndGet("takes a key of 1024 bytes", "é".repeat(512), 1),
  ...NO_STRINGS.flatMap(([name, key]) => [
    same(`get refuses ${name} as a key`, ["kv.get", key]),
    same(`set refuses ${name} as a key`, ["kv.set", key, 1]),
    same(`delete refuses ${name} as a key`, ["kv.delete", key]),
  ]),
  ...as(
    "nothing",
    ...NO_STRINGS.map(([name, prefix]) =>
      same(`list with ${name} as a prefix`, ["kv.set", "only", 1], ["kv.list", prefix]),
    ),
  ),
  differs(
    "broken-rows",
    "list shows a row that is no JSON as a text",
    [value([{ key: "broken row", value: "{no json" }])],
    ["kv.list", "broken"],
  ),
  same(
    "a date is a key: it is a string in JSON",
    ["kv.set", new Date(0), 1],
    ["kv.get", "1970-01-01T00:00:00.000Z"],
  ),
  same("a BigInt is no key", ["kv.get", 1n]),
  same("replaces", ["kv.set", "twice", 1], ["kv.set", "twice", [2]], ["kv.get", "twice"]),
  same("more arguments than there are parameters", ["kv.set", "more", 1, 2, 3], ["kv.get", "more", 4]),
  same("get without arguments", ["kv.get"]),
  same("what was never set", ["kv.get", "never"], ["kv.delete", "never"]),
  same("a row that is no JSON", ["kv.get", "broken row"]),
  same("another plugin's row", ["kv.get", "foreign row"], ["kv.delete", "foreign row"]),
  list("lists by a prefix", ["list/b", "list/a", "lisu", "lis"], "list/"),
  list("lists nothing for a prefix that none has", [], "no key begins so"),
  list("lists by a prefix that is a key", ["exact"], "exact"),
  list("lists by a prefix with quotes", [`'"q`, `'"r`], `'"`),
  list("lists by a prefix of two emoji", ["🦀🦀1", "🦀🐚"], "🦀🦀"),
  differs(
    "kv-prefix",
    "an underscore in a prefix is a letter",
    [nothing, nothing, value([{ key: "u_1", value: 1 }])],
    ["kv.set", "u_1", 1],
    ["kv.set", "ux1", 2],
    ["kv.list", "u_"],
  ),
  differs(
    "kv-prefix",
    "a percent sign in a prefix is a letter",
    [nothing, nothing, value([{ key: "p%1", value: 1 }])],
    ["kv.set", "p%1", 1],
    ["kv.set", "pxx1", 2],
    ["kv.list", "p%1"],
  ),
  ...NO_STRINGS.filter(([name]) => ["undefined", "a function", "a symbol"].includes(name)).map(
    ([name, stored]) =>
      differs(
        "kv-undefined",
        `set refuses ${name} as a value`,
        UNDEFINED,
        ["kv.set", `no ${name}`, stored],
        ["kv.get", `no ${name}`],
      ),
  ),
  differs(
    "surrogates",
    "half a character in a key",
    [refused("kv/set", SURROGATE), refused("kv/get", SURROGATE)],
    ["kv.set", "a\ud800", 1],
    ["kv.get", "a\ud800"],
  ),
  differs(
    "long-keys",
    "a key of 100,000 letters",
    [
      refused("kv/set", "Parameter key must be at most 1024 bytes long, not 100000"),
      value(null),
      value(false),
      value(null),
    ],
    ["kv.set", LONG, 1],
    ["kv.get", LONG],
    ["kv.delete", LONG],
    ["kv.get", LONG],
  ),
  differs(
    "nul",
    "NUL in a key",
    [refused("kv/set", NUL), refused("kv/get", NUL)],
    ["kv.set", "a\u0000b", 1],
    ["kv.get", "a\u0000b"],
  ),
];
