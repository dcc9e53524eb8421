/** Random bodies of bridge calls, the same for the same seed: often nearly right, so that they get far. */
import { createHash } from "node:crypto";

type Random = (below: number) => number;

export function bodies(seed: string, count: number): string[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, () => body(random));
}

/** Marsaglia's xorshift of 32 bits. No more is asked of it than to repeat itself. */
function randomOf(seed: string): Random {
  let state = createHash("sha256").update(seed).digest().readUInt32LE() || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function body(random: Random): string {
  switch (random(20)) {
    case 0:
      return pick(random, ["", "null", "[]", "7", '"text"', "{", '{"key":1,"key":"b"}', "\u0000", "{}{}"]);
    case 1:
      return JSON.stringify(any(random, 3));
    default:
      return JSON.stringify(likely(random));
  }
}

/** Each field of any operation, mostly with a value of its kind. */
function likely(random: Random): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, make] of Object.entries(FIELDS)) {
    const chance = random(10);
    if (chance < 7) fields[name] = make(random);
    else if (chance < 9) fields[name] = any(random, 2);
  }
  return fields;
}

/** Of a row that there is. */
export const KNOWN_ID = "known";

const FIELDS: Record<string, (random: Random) => unknown> = {
  collection: (random) => pick(random, ["notes", "posts", "posts", "__proto__", "nope", text(random)]),
  key: text,
  id: (random) => pick(random, [KNOWN_ID, text(random)]),
  entryId: text,
  prefix: text,
  taxonomy: text,
  locale: (random) => pick(random, ["en", text(random)]),
  value: (random) => any(random, 3),
  data: (random) =>
    pick(random, [{}, { title: "T" }, { title: text(random), rank: random(9) }, record(random)]),
  ids: (random) => list(random, text),
  items: (random) => list(random, () => ({ id: text(random), data: record(random), title: text(random) })),
  where: (random) => pick(random, [{}, { rank: random(9) }, condition(random)]),
  orderBy: (random) => pick(random, [{}, { rank: "asc" }, { slug: "desc" }, { [text(random)]: "up" }]),
  limit: (random) => pick(random, [0, 1, 100, 101, 1.5, -1, Number.MAX_VALUE, "7", null]),
  cursor: (random) => pick(random, [null, undefined, 7, text(random), "eyJ9"]),
  role: (random) => pick(random, [0, 10, "10", null, {}, 1.5]),
  email: text,
  filename: text,
  contentType: (random) => pick(random, ["image/png", "video/x", "text/html", text(random)]),
  bytes: (random) => pick(random, ["AAEC", "!", list(random, () => random(300)), text(random)]),
  encoding: (random) => pick(random, ["base64", "hex", undefined]),
  mimeType: text,
  message: (random) => ({
    to: text(random),
    subject: text(random),
    text: text(random),
    html: any(random, 1),
  }),
  level: (random) => pick(random, ["debug", "info", "warn", "error", "trace"]),
  msg: text,
  options: (random) => record(random),
  maxBytes: (random) => pick(random, [undefined, 1, 9, 0, -1, 1.5, 1e9, "7"]),
};

function condition(random: Random): unknown {
  const operator = pick(random, ["gt", "gte", "lt", "lte", "in", "startsWith", "near"]);
  const value = pick(random, [any(random, 1), { [operator]: any(random, 2) }, random(9)]);
  return { [pick(random, ["rank", "slug", "loose", text(random)])]: value };
}

function any(random: Random, depth: number): unknown {
  switch (random(depth > 0 ? 9 : 7)) {
    case 0:
      return null;
    case 1:
      return random(2) === 0;
    case 2:
      return random(1000) - 500;
    case 3:
      return pick(random, [0.5, 1e308, -1e-308, 2 ** 60, -0]);
    case 7:
      return list(random, () => any(random, depth - 1));
    case 8:
      return record(random, depth - 1);
    default:
      return text(random);
  }
}

function record(random: Random, depth = 1): Record<string, unknown> {
  const entries = list(random, () => [text(random), any(random, depth)] as const);
  return Object.fromEntries(entries);
}

const TEXTS = [
  ...["", "a", "rank", "title", "slug", "status", "deleted_at", "id", "version", "locale"],
  ...["__proto__", "constructor", "'", '"', "\\", "%", "_", "; drop table users; --", "../../etc/passwd"],
  ...[
    "\u0000",
    "a\u0000b",
    "\ud800",
    "🦀",
    "\u202e",
    "x".repeat(5000),
    "{",
    "[1]",
    "01HZZZZZZZZZZZZZZZ00000001",
  ],
];

function text(random: Random): string {
  if (random(3) > 0) return pick(random, TEXTS);
  return String.fromCharCode(...list(random, () => random(0x10000)));
}

function list<Item>(random: Random, make: (random: Random) => Item): Item[] {
  return Array.from({ length: random(5) }, () => make(random));
}

function pick<Item>(random: Random, choices: readonly Item[]): Item {
  return choices[random(choices.length)] as Item;
}
