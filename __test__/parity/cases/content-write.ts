import { type Call, type Case, differs, from, NO_RECORDS, NO_STRINGS, refused, same } from "../case.js";
import { seedId } from "../seed.js";

const COLLECTION = "drafts";
const create = (data: unknown, collection = COLLECTION): Call => ["content.create", collection, data];

const DATA: [name: string, data: unknown][] = [
  ["a field", { title: "T" }],
  ["no field", {}],
  ["slug, status and author", { title: "T", slug: "own-slug", status: "published", author_id: "author" }],
  ["slug, status and author of the wrong kind", { slug: 7, status: null, author_id: {} }],
  ["quotes and emoji", { title: `'"; drop table ec_drafts; -- 🦀` }],
  ["a title that is an object", { title: { a: [1] } }],
  ["a title that is an array", { title: [1, 2] }],
  ["a title that is null", { title: null }],
  ["a title that is undefined", { title: undefined }],
  ["a title that looks like JSON", { title: '{"a":1}' }],
  ["an empty title", { title: "" }],
  ["a title of a megabyte", { title: "x".repeat(1_000_000) }],
];

const SYSTEM = [
  "id",
  "created_at",
  "updated_at",
  "published_at",
  "scheduled_at",
  "deleted_at",
  "version",
  "live_revision_id",
  "draft_revision_id",
];

function items(count: number, title = "batch"): { title: string }[] {
  return Array.from({ length: count }, (_, at) => ({ title: `${title} ${at}` }));
}

export const contentWrite: Case[] = [
  ...DATA.map(([name, data]) =>
    same(`creates with ${name}`, create(data), ["content.get", COLLECTION, from(0, "id")]),
  ),
  ...SYSTEM.map((column) =>
    same(`create does not let ${column} be written`, create({ title: "T", [column]: "1999-01-01" })),
  ),
  same(
    "every kind of field",
    create(
      {
        title: "T",
        rank: 7,
        price: 0.5,
        flag: true,
        note: "n",
        body: [{ _type: "block" }],
        meta: { a: null },
      },
      "posts",
    ),
    ["content.get", "posts", from(0, "id")],
    ["content.delete", "posts", from(0, "id")],
  ),
  ...NO_RECORDS.map(([name, data]) =>
    same(
      `${name} is no data`,
      create(data),
      ["content.update", COLLECTION, "x", data],
      ["content.createMany", COLLECTION, [data]],
    ),
  ),
  same(
    "data that is missing",
    ["content.create", COLLECTION],
    ["content.update", COLLECTION, "x"],
    ["content.create"],
    ["content.delete"],
  ),
  ...NO_STRINGS.map(([name, wrong]) =>
    same(
      `${name} is neither collection nor id`,
      ["content.create", wrong, {}],
      ["content.update", wrong, "x", {}],
      ["content.update", COLLECTION, wrong, {}],
      ["content.delete", wrong, "x"],
      ["content.delete", COLLECTION, wrong],
    ),
  ),
  ...["Bad", "", "a-b", "x; drop"].map((name) =>
    same(
      `${JSON.stringify(name)} names no collection`,
      ["content.create", name, {}],
      ["content.update", name, "x", {}],
      ["content.delete", name, "x"],
      ["content.createMany", name, [{}]],
      ["content.updateMany", name, [{ id: "x", data: {} }]],
      ["content.deleteMany", name, ["x"]],
    ),
  ),
  same(
    "updates",
    create({ title: "before" }),
    ["content.update", COLLECTION, from(0, "id"), { title: "after" }],
    ["content.get", COLLECTION, from(0, "id")],
  ),
  ...[
    { slug: "s" },
    { slug: null },
    { slug: 7 },
    { status: "archived" },
    { status: 7 },
    {},
    { title: null },
    { id: "other" },
  ].map((data) =>
    same(
      `updates ${JSON.stringify(data)}`,
      create({
        title: "T",
        slug: `slug-${JSON.stringify(data).length}-${JSON.stringify(data).replace(/\W/g, "")}`,
      }),
      ["content.update", COLLECTION, from(0, "id"), data],
      ["content.get", COLLECTION, from(0, "id")],
    ),
  ),
  same(
    "update of what is deleted",
    ["content.delete", "posts", seedId(3)],
    ["content.get", "posts", seedId(3)],
  ),
  same(
    "deletes once",
    create({ title: "T" }),
    ["content.delete", COLLECTION, from(0, "id")],
    ["content.delete", COLLECTION, from(0, "id")],
    ["content.get", COLLECTION, from(0, "id")],
  ),
  same("what was never there", ["content.delete", COLLECTION, "nope"]),
  same(
    "many of nothing",
    ["content.createMany", COLLECTION, []],
    ["content.updateMany", COLLECTION, []],
    ["content.deleteMany", COLLECTION, []],
  ),
  same(
    "creates many",
    ["content.createMany", COLLECTION, items(3)],
    ["content.get", COLLECTION, from(0, 2, "id")],
  ),
  same("a hundred at once", ["content.createMany", COLLECTION, items(100)]),
  ...[101, 1000].map((count) =>
    same(
      `${count} at once`,
      ["content.createMany", COLLECTION, items(count)],
      ["content.updateMany", COLLECTION, items(count).map((data, at) => ({ id: `${at}`, data }))],
      ["content.deleteMany", COLLECTION, items(count).map((_, at) => `${at}`)],
    ),
  ),
  ...(
    [
      ["that no collection has", { nope: 1 }, "nope"],
      ["whose name is no name", { title: "T", "a b": 1 }, "a b"],
      ["that is __proto__", JSON.parse('{"title":"T","__proto__":{"title":"P"}}'), "__proto__"],
      ["that is a member of every object", { constructor: 1 }, "constructor"],
    ] as const
  ).flatMap(([name, data, field]) => {
    const message = `Unknown field '${field}' in collection 'drafts'`;
    return [
      differs(
        "unknown-fields",
        `create refuses a field ${name}`,
        [refused("content/create", message)],
        create(data),
      ),
      differs(
        "unknown-fields",
        `createMany refuses a field ${name}, and writes nothing`,
        [refused("content/createMany", message)],
        ["content.createMany", COLLECTION, [{ title: "first" }, data]],
      ),
    ];
  }),
  differs(
    "sql-errors",
    "a collection that nobody made",
    [
      refused("content/create", "Unknown collection: nope"),
      refused("content/update", "Unknown collection: nope"),
      refused("content/delete", "Unknown collection: nope"),
    ],
    ["content.create", "nope", {}],
    ["content.update", "nope", "x", {}],
    ["content.delete", "nope", "x"],
  ),
  differs(
    "sql-errors",
    "createMany with a slug twice",
    [refused("content/createMany", "Already in use in collection 'drafts': slug, locale")],
    ["content.createMany", COLLECTION, [{ slug: "same" }, { slug: "same" }]],
  ),
  same(
    "updateMany",
    ["content.createMany", COLLECTION, items(2)],
    [
      "content.updateMany",
      COLLECTION,
      [
        { id: from(0, 0, "id"), data: { title: "x" } },
        { id: from(0, 1, "id"), data: {} },
      ],
    ],
  ),
  same(
    "deleteMany counts",
    ["content.createMany", COLLECTION, items(2)],
    ["content.deleteMany", COLLECTION, [from(0, 0, "id"), from(0, 0, "id"), "nope"]],
  ),
  ...[
    undefined,
    null,
    {},
    "text",
    [1],
    [null],
    [[]],
    [{}],
    ["a"],
    [{ id: "a" }],
    [{ id: 1, data: {} }],
    [{ id: "a", data: [] }],
  ].map((wrong) =>
    same(
      `${JSON.stringify(wrong)} to the many`,
      ["content.updateMany", COLLECTION, wrong],
      ["content.deleteMany", COLLECTION, Array.isArray(wrong) && wrong[0] === "a" ? 7 : wrong],
    ),
  ),
];
