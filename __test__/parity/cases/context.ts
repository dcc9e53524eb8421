import { as, type Case, cycle, differs, NO_STRINGS, same, throwing, value } from "../case.js";

const MEMBERS = [
  "plugin",
  "storage",
  "kv",
  "content",
  "taxonomies",
  "media",
  "http",
  "log",
  "site",
  "url",
  "users",
  "email",
];

export const context: Case[] = [
  same("who it is", ["plugin"], ["plugin.id"], ["plugin.version"]),
  same("the site", ["site"]),
  same("a member that is none", ["typeof cron"], ["typeof storage.notes.nope"], ["nope.nope"]),
  same("what is no string is no collection", ["keys kv"], ["typeof storage.then"]),
  ...["everything", "nothing", "writer", "pretender"].flatMap((plugin) =>
    as(plugin, same("its members", ["keys "], ...MEMBERS.map((member) => [`typeof ${member}`] as const))),
  ),
  ...["kv", "storage.notes", "taxonomies", "http", "log", "plugin", "site"].map((member) =>
    same(`the members of ${member}`, [`keys ${member}`]),
  ),
  ...["/", "/a?b#c", "/ü/🦀", "/a//b", "/../a"].map((path) => same(`the address of ${path}`, ["url", path])),
  ...["", "a", "//evil.example", "https://evil.example", " /a", "\\a"].map((path) =>
    same(`${JSON.stringify(path)} is no path`, ["url", path]),
  ),
  ...["debug", "info", "warn", "error"].map((level) =>
    same(
      `logs at ${level}`,
      [`log.${level}`, "text"],
      [`log.${level}`, "with data", { a: [1] }],
      [`log.${level}`, ""],
    ),
  ),
  ...NO_STRINGS.map(([name, message]) =>
    differs("log-fails", `logging ${name} fails nothing`, [value(null)], ["log.info", message]),
  ),
  ...(
    [
      ["a cycle", cycle()],
      ["a BigInt", 1n],
      ["what throws", throwing],
    ] as const
  ).map(([name, data]) =>
    differs("log-fails", `logging ${name} as data fails nothing`, [value(null)], ["log.info", "text", data]),
  ),
  same(
    "logs data of any kind",
    ["log.info", "text", undefined],
    ["log.info", "text", null],
    ["log.info", "text", "data"],
  ),
  same("logs half a character and NUL", ["log.info", "a\ud800b\u0000"]),
  ...NO_STRINGS.map(([name, path]) =>
    differs(
      "url-type",
      `${name} is no path`,
      [{ error: `URL path must be a string, got: ${typeof path}` }],
      ["url", path],
    ),
  ),
  same("nothing comes of a member that is no function", ["site.name"], ["plugin.id"]),
];
