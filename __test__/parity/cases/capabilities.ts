import { as, type Call, type Case, differs, refused, same, value } from "../case.js";
import { seedId } from "../seed.js";

/** A call of each member that needs a capability. */
const CALLS: Call[] = [
  ["content.get", "posts", "nope"],
  ["content.list", "drafts", { cursor: "0" }],
  ["content.create", "BAD", {}],
  ["content.update", "BAD", "x", {}],
  ["content.delete", "BAD", "x"],
  ["content.createMany", "BAD", [{}]],
  ["content.updateMany", "BAD", [{ id: "x", data: {} }]],
  ["content.deleteMany", "BAD", ["x"]],
  ["taxonomies.getAll", { locale: "xx" }],
  ["taxonomies.getTerms", "nope"],
  ["taxonomies.getEntryTerms", "posts", "nope"],
  ["media.get", "nope"],
  ["media.list", { cursor: "0" }],
  ["media.upload", "a", "text/html", new Uint8Array()],
  ["media.delete", "nope"],
  ["http.fetch", "https://parity.example"],
  ["users.get", "nope"],
  ["users.getByEmail", "nope"],
  ["users.list", { cursor: "0" }],
  ["email.send", {}],
];

/** `media.upload` looks at its bytes first, inside the plugin. */
const BARE_CALLS: Call[] = CALLS.map(([path]): Call => [path]).filter(([path]) => path !== "media.upload");

/** Read rights that a right to write gives, as EmDash documents it; only the runner closes them. */
const IMPLIED = ["content.get", "content.list", "media.get", "media.list"];

export const capabilities: Case[] = [
  ...["nothing", "pretender", "traveller"].flatMap((plugin) =>
    as(
      plugin,
      ...CALLS.filter(([path]) => plugin !== "traveller" || path !== "http.fetch").map((call) =>
        same(`${call[0]} is not granted`, call),
      ),
    ),
  ),
  ...as("nothing", ...BARE_CALLS.map((call) => same(`${call[0]} without arguments is not granted`, call))),
  ...as(
    "nothing",
    same("storage and kv need no capability", ["storage.notes.count"], ["kv.list"], ["log.info", "text"]),
  ),
  ...as(
    "writer",
    ...CALLS.filter(([path]) => !IMPLIED.includes(path)).map((call) =>
      same(`${call[0]} for one who may write`, call),
    ),
  ),
  ...as(
    "writer",
    differs(
      "implied-capabilities",
      "who may write content may read it",
      [value(null)],
      ["content.get", "posts", "nope"],
    ),
    differs("implied-capabilities", "who may write media may read it", [value(null)], ["media.get", "nope"]),
  ),
  ...as(
    "today",
    differs("today-capabilities", "content by today's name", [value(null)], ["content.get", "posts", "nope"]),
    differs("today-capabilities", "media by today's name", [value(null)], ["media.get", "nope"]),
    differs(
      "today-capabilities",
      "users by today's name",
      [value("object"), value(null)],
      ["typeof users"],
      ["users.get", "nope"],
    ),
    differs(
      "today-capabilities",
      "writing by today's name",
      [refused("content/delete", "Invalid collection name: BAD")],
      ["content.delete", "BAD", seedId(1)],
    ),
    same("taxonomies and email have one name", ["taxonomies.getTerms", "nope"], ["email.send", {}]),
  ),
];
