import { expect } from "vitest";
import { type Case, differs, from, NO_STRINGS, ODD_NAMES, refused, same, value } from "../case.js";
import { seedId } from "../seed.js";

const LIMITS: [name: string, limit: unknown][] = [
  ["1", 1],
  ["100", 100],
  ["101", 101],
  ["0", 0],
  ["-5", -5],
  ["a text", "2"],
  ["a text with spaces", " 2 "],
  ["an empty text", ""],
  ["a word", "two"],
  ["null", null],
  ["false", false],
  ["an object", {}],
  ["NaN", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
];

/** JavaScript makes a number of them, and so does the peer. */
const ODD_LIMITS: [name: string, limit: unknown][] = [
  ["true", true],
  ["an array of one number", [2]],
  ["a hexadecimal text", "0x2"],
];

const BAD_NAMES = [
  "",
  "Posts",
  "1a",
  "_a",
  "a-b",
  "a b",
  "posts\n",
  "posté",
  "posts;",
  "a.b",
  '"',
  "posts--",
];

export const contentRead: Case[] = [
  ...[1, 2, 3, 999].map((number) => same(`gets entry ${number}`, ["content.get", "posts", seedId(number)])),
  same("gets an entry with an odd id", ["content.get", "posts", "odd '\"; id"]),
  ...ODD_NAMES.map((id) => same(`there is no entry ${JSON.stringify(id)}`, ["content.get", "posts", id])),
  same("a collection that nobody made", ["content.get", "nope", "a"], ["content.list", "nope"]),
  ...["constructor", "tostring", "users", "a".repeat(40)].map((name) =>
    same(`no collection ${name}`, ["content.get", name, "a"], ["content.list", name, { limit: 1 }]),
  ),
  ...BAD_NAMES.map((name) =>
    same(`${JSON.stringify(name)} names no collection`, ["content.get", name, "a"], ["content.list", name]),
  ),
  ...NO_STRINGS.map(([name, wrong]) =>
    same(
      `${name} is neither collection nor id`,
      ["content.get", wrong, "a"],
      ["content.list", wrong],
      ["content.get", "posts", wrong],
    ),
  ),
  same(
    "lists, newest id first",
    ["content.list", "posts"],
    ["content.list", "posts", {}],
    ["content.list", "posts", null],
  ),
  same("lists an empty collection", ["content.list", "drafts"]),
  ...LIMITS.map(([name, limit]) => same(`a limit of ${name}`, ["content.list", "many", { limit }])),
  same(
    "pages",
    ["content.list", "many", { limit: 50 }],
    ["content.list", "many", { limit: 50, cursor: from(0, "cursor") }],
    ["content.list", "many", { limit: 50, cursor: from(1, "cursor") }],
  ),
  same("exactly a page", ["content.list", "many", { limit: 5, cursor: seedId(105) }]),
  ...["", "nonsense", "zzz", "' or 1=1 --", "0"].map((cursor) =>
    same(`the cursor ${JSON.stringify(cursor)}`, ["content.list", "many", { limit: 2, cursor }]),
  ),
  ...[null, 7, {}, []].map((cursor) =>
    same(`${JSON.stringify(cursor)} is no cursor`, ["content.list", "many", { limit: 2, cursor }]),
  ),
  same("where and orderBy count for nothing", [
    "content.list",
    "posts",
    { where: { title: "First" }, orderBy: { title: "asc" } },
  ]),
  same("options that are none", ["content.list", "drafts", 7], ["content.list", "drafts", "text"]),
  ...ODD_LIMITS.map(([name, limit]) =>
    differs(
      "odd-limits",
      `a limit of ${name}`,
      [value(expect.objectContaining({ items: expect.objectContaining({ length: 50 }) }))],
      ["content.list", "many", { limit }],
    ),
  ),
  ...[1.5, "1.5"].map((limit) =>
    differs(
      "fractions",
      `a limit of ${JSON.stringify(limit)}`,
      [value({ items: [expect.objectContaining({ id: seedId(204) })], hasMore: true, cursor: seedId(204) })],
      ["content.list", "many", { limit }],
    ),
  ),
  differs(
    "surrogates",
    "half a character in an id",
    [refused("content/get", "Parameter id must not contain an unpaired surrogate")],
    ["content.get", "posts", "a\ud800"],
  ),
  differs(
    "nul",
    "NUL in an id",
    [refused("content/get", "Parameter id must not contain NUL")],
    ["content.get", "posts", "a\u0000"],
  ),
  differs(
    "options-collection",
    "a collection among the options does not replace the one that is asked",
    [value({ items: [], hasMore: false })],
    ["content.list", "drafts", { collection: "posts" }],
  ),
];
