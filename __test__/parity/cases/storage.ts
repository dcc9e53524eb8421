import { expect } from "vitest";
import {
  type Call,
  type Case,
  differs,
  from,
  NO_RECORDS,
  NO_STRINGS,
  nothing,
  ODD_NAMES,
  on,
  refused,
  repeat,
  same,
  value,
} from "../case.js";

const NOTES = "storage.notes";
const LIMITS: [name: string, limit: unknown][] = [
  ["1", 1],
  ["99", 99],
  ["100", 100],
  ["101", 101],
  ["1000", 1000],
  ["0", 0],
  ["-1", -1],
  ["infinity", Number.POSITIVE_INFINITY],
  ["NaN", Number.NaN],
  ["null", null],
  ["a text", "7"],
  ["an array", [7]],
];

const WHERES: [name: string, where: unknown][] = [
  ["equal to a number", { rank: 7 }],
  ["equal to a text", { slug: "s7" }],
  ["equal to null", { kind: null }],
  ["equal to a text that has a quote", { slug: "' or 1=1 --" }],
  ["two fields", { kind: "odd", rank: 7 }],
  ["two fields that exclude each other", { kind: "even", rank: 7 }],
  ["greater", { rank: { gt: 117 } }],
  ["greater or equal", { rank: { gte: 117 } }],
  ["less", { rank: { lt: 2 } }],
  ["less or equal", { rank: { lte: 2 } }],
  ["between", { rank: { gt: 3, lt: 6 } }],
  ["in", { rank: { in: [1, 2, 500] } }],
  ["starts with", { slug: { startsWith: "s11" } }],
  ["starts with a wildcard", { slug: { startsWith: "%1" } }],
  ["starts with an underscore", { slug: { startsWith: "_1" } }],
  ["an unknown operator", { rank: { near: 7 } }],
  ["an empty operator", { rank: {} }],
  ["an array", { rank: [7] }],
  ["a field without an index", { loose: 7 }],
  ["a field that is none", { nope: 7 }],
  ["a field that is a member of every object", { constructor: 7 }],
  ["a field with a quote", { "rank') or 1=1 --": 7 }],
  ["no field", {}],
];

const ORDERS: [name: string, orderBy: unknown][] = [
  ["a field up", { rank: "asc" }],
  ["a field down", { rank: "desc" }],
  ["two fields", { kind: "desc", rank: "asc" }],
  ["no field", {}],
  ["a field without an index", { loose: "asc" }],
  ["upper case", { rank: "ASC" }],
  ["a number", { rank: 1 }],
  ["null", { rank: null }],
];

const SMALL = { rank: { lt: 5 } };

function put(id: unknown): Case[] {
  const name = JSON.stringify(id);
  const calls: Call[] = [
    [`storage.plain.put`, id, { id }],
    ["storage.plain.get", id],
    ["storage.plain.exists", id],
    ["storage.plain.getMany", [id, "no such"]],
    ["storage.plain.delete", id],
    ["storage.plain.delete", id],
    ["storage.plain.exists", id],
  ];
  return [same(`takes ${name} as an id`, ...calls)];
}

export const storage: Case[] = [
  ...ODD_NAMES.flatMap(put),
  ...["plain", "__proto__", "constructor", "ünï cödé"].map((name) =>
    same(
      `the collection ${name}`,
      [`storage.${name}.put`, "a", { rank: 1 }],
      [`storage.${name}.get`, "a"],
      [`storage.${name}.count`],
    ),
  ),
  ...["nope", "toString", "Notes", "notes ", "__kv"].map((name) =>
    same(
      `${JSON.stringify(name)} is no collection`,
      [`storage.${name.trim()}x.get`, "a"],
      [`storage.${name.trim()}x.put`, "a", 1],
      [`storage.${name.trim()}x.query`],
      [`storage.${name.trim()}x.getMany`, []],
    ),
  ),
  same(
    "what is no collection is told first",
    ["storage.nope.get"],
    ["storage.nope.put"],
    ["storage.nope.deleteMany", 7],
  ),
  ...NO_STRINGS.map(([name, id]) =>
    same(
      `${name} is no id`,
      [`${NOTES}.get`, id],
      [`${NOTES}.put`, id, 1],
      [`${NOTES}.delete`, id],
      [`${NOTES}.getMany`, [id]],
      [`${NOTES}.deleteMany`, [id]],
      [`${NOTES}.putMany`, [{ id, data: 1 }]],
    ),
  ),
  ...[undefined, null, {}, "ids", 7, { 0: "a", length: 1 }].map((ids) =>
    same(
      `${JSON.stringify(ids)} is no list`,
      [`${NOTES}.getMany`, ids],
      [`${NOTES}.deleteMany`, ids],
      [`${NOTES}.putMany`, ids],
    ),
  ),
  ...[[1], ["a"], [null], [[]], [{}], [{ id: 1, data: 1 }], [{ data: 1 }], [{ id: "a", data: 1 }, "b"]].map(
    (items) =>
      same(
        `${JSON.stringify(items)} are no items`,
        ["storage.plain.putMany", items],
        ["storage.plain.count"],
      ),
  ),
  ...[null, 0, false, "", "text", [], [1], {}, { a: { b: [null] } }, repeat("é", 300_000)].map((data, at) =>
    same(
      `keeps a document of any kind: ${at}`,
      ["storage.plain.put", `d${at}`, data],
      ["storage.plain.get", `d${at}`],
    ),
  ),
  same("replaces", ["storage.plain.put", "r", 1], ["storage.plain.put", "r", 2], ["storage.plain.get", "r"]),
  same(
    "getMany of nothing, of doubles, of what is not there",
    [`${NOTES}.getMany`, []],
    [`${NOTES}.getMany`, ["n001", "n001", "nope"]],
  ),
  same(
    "deleteMany of nothing, of doubles",
    ["storage.plain.deleteMany", []],
    ["storage.plain.put", "dd", 1],
    ["storage.plain.deleteMany", ["dd", "dd", "nope"]],
  ),
  same("putMany of nothing", ["storage.plain.putMany", []]),
  same(
    "putMany, and of two with one id the later",
    [
      "storage.constructor.putMany",
      [
        { id: "a", data: 1, more: 1 },
        { id: "b", data: null },
        { id: "a", data: 2 },
      ],
    ],
    ["storage.constructor.get", "a"],
    ["storage.constructor.get", "b"],
  ),
  same(
    "another plugin's document",
    [`${NOTES}.get`, "foreign"],
    [`${NOTES}.exists`, "foreign"],
    [`${NOTES}.count`, { rank: 1 }],
  ),
  ...WHERES.map(([name, where]) =>
    same(
      `where: ${name}`,
      [`${NOTES}.query`, { where, limit: 3, orderBy: { rank: "asc" } }],
      [`${NOTES}.count`, where],
    ),
  ),
  ...ORDERS.map(([name, orderBy]) => same(`order: ${name}`, [`${NOTES}.query`, { where: SMALL, orderBy }])),
  ...LIMITS.map(([name, limit]) =>
    same(`a limit of ${name}`, [`${NOTES}.query`, { limit, orderBy: { rank: "asc" } }]),
  ),
  same(
    "query without a word",
    [`${NOTES}.query`],
    [`${NOTES}.query`, undefined],
    [`${NOTES}.query`, null],
    [`${NOTES}.query`, 7],
  ),
  ...NO_RECORDS.map(([name, wrong]) =>
    same(
      `${name} is neither where nor order`,
      [`${NOTES}.query`, { where: wrong }],
      [`${NOTES}.query`, { orderBy: wrong }],
      [`${NOTES}.count`, wrong],
    ),
  ),
  same(
    "pages",
    [`${NOTES}.query`, { where: SMALL, orderBy: { rank: "desc" }, limit: 2 }],
    [`${NOTES}.query`, { where: SMALL, orderBy: { rank: "desc" }, limit: 2, cursor: from(0, "cursor") }],
    [`${NOTES}.query`, { where: SMALL, orderBy: { rank: "desc" }, limit: 2, cursor: from(1, "cursor") }],
  ),
  same(
    "pages without an order",
    [`${NOTES}.query`, { limit: 100 }],
    [`${NOTES}.query`, { limit: 100, cursor: from(0, "cursor") }],
  ),
  ...["", "nonsense", "eyJ9", "{}", "bnVsbA==", "W10=", "e30="].map((cursor) =>
    same(`the cursor ${JSON.stringify(cursor)}`, [`${NOTES}.query`, { cursor, limit: 2 }]),
  ),
  ...[null, 7, {}, true].map((cursor) =>
    same(`${JSON.stringify(cursor)} is no cursor`, [`${NOTES}.query`, { cursor, limit: 2 }]),
  ),
  differs(
    "fractions",
    "a limit that is no whole number",
    [
      value({
        items: [{ id: "n000", data: { rank: 0, kind: "even", slug: "s0", loose: 0 } }],
        hasMore: true,
        cursor: expect.any(String),
      }),
    ],
    [`${NOTES}.query`, { limit: 1.9, orderBy: { rank: "asc" } }],
  ),
  differs(
    "stored-null",
    "a document that is null exists",
    [nothing, value(true), value(null)],
    ["storage.plain.put", "null", null],
    ["storage.plain.exists", "null"],
    ["storage.plain.get", "null"],
  ),
  ...NO_STRINGS.filter(([name]) => ["undefined", "a function"].includes(name)).map(([name, data]) =>
    differs(
      "put-undefined",
      `put refuses ${name}`,
      [refused("storage/put", "Missing required parameter: data")],
      ["storage.plain.put", "u", data],
    ),
  ),
  differs(
    "put-undefined",
    "putMany refuses items without data, and writes none",
    [
      refused("storage/putMany", "Parameter items must be an array of { id: string, data } items"),
      value(false),
    ],
    ["storage.plain.putMany", [{ id: "um1", data: 1 }, { id: "um2" }]],
    ["storage.plain.exists", "um1"],
  ),
  on(
    ["better-sqlite3"],
    differs(
      "where-boolean",
      "where: equal to a boolean",
      [value({ items: [], hasMore: false }), value(0)],
      [`${NOTES}.query`, { where: { kind: true } }],
      [`${NOTES}.count`, { kind: true }],
    ),
  ),
  on(
    ["PostgreSQL"],
    differs(
      "where-in-nothing",
      "where: in nothing",
      [value({ items: [], hasMore: false }), value(0)],
      [`${NOTES}.query`, { where: { rank: { in: [] } } }],
      [`${NOTES}.count`, { rank: { in: [] } }],
    ),
  ),
];
