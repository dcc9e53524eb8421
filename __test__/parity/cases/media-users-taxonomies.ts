import { expect } from "vitest";
import { type Case, differs, from, NO_STRINGS, ODD_NAMES, refused, repeat, same, value } from "../case.js";
import { seedId } from "../seed.js";

const BYTES = new Uint8Array([0, 1, 2, 253, 254, 255]);

const LIMITS = [1, 100, 101, 0, -1, "2", "x", null];

const taxonomies: Case[] = [
  ...[[], [{}], [{ locale: "de" }], [{ locale: "xx" }], [{ locale: "" }], [null], [{ nope: 1 }]].map((args) =>
    same(`definitions of ${JSON.stringify(args)}`, ["taxonomies.getAll", ...args]),
  ),
  ...["topics", "areas", "nope", "constructor", "", "' or 1=1 --"].map((name) =>
    same(
      `terms of ${JSON.stringify(name)}`,
      ["taxonomies.getTerms", name, { locale: "de" }],
      ["taxonomies.getTerms", name, { locale: "xx" }],
    ),
  ),
  same("terms of all languages", ["taxonomies.getTerms", "topics"]),
  ...[
    {},
    { taxonomy: "topics" },
    { taxonomy: "areas" },
    { locale: "de" },
    { taxonomy: "topics", locale: "en" },
    { taxonomy: "x" },
  ].map((options) =>
    same(`an entry's terms by ${JSON.stringify(options)}`, [
      "taxonomies.getEntryTerms",
      "posts",
      seedId(1),
      options,
    ]),
  ),
  same(
    "terms of an entry without",
    ["taxonomies.getEntryTerms", "posts", "nope"],
    ["taxonomies.getEntryTerms", "nope", seedId(1)],
    ["taxonomies.getEntryTerms", "BAD NAME", "x"],
  ),
  ...NO_STRINGS.map(([name, wrong]) =>
    same(
      `${name} in a taxonomy call`,
      ["taxonomies.getAll", { locale: wrong }],
      ["taxonomies.getTerms", wrong],
      ["taxonomies.getTerms", "nope", { locale: wrong }],
      ["taxonomies.getEntryTerms", wrong, "x"],
      ["taxonomies.getEntryTerms", "posts", wrong],
      ["taxonomies.getEntryTerms", "posts", "nope", { taxonomy: wrong }],
    ),
  ),
];

const media: Case[] = [
  ...[7, "x"].map((options) =>
    differs(
      "odd-options",
      `files with ${JSON.stringify(options)} as options`,
      [value(expect.objectContaining({ hasMore: true }))],
      ["media.list", options],
    ),
  ),
  ...[seedId(300), "pending", "sizeless", "nope", ...ODD_NAMES.slice(0, 8)].map((id) =>
    same(`the file ${JSON.stringify(id)}`, ["media.get", id]),
  ),
  ...LIMITS.map((limit) =>
    same(`files, a limit of ${JSON.stringify(limit)}`, ["media.list", { limit, cursor: seedId(410) }]),
  ),
  ...["image/", "image/png", "video/", "nope", "", "IMAGE/PNG"]
    .slice(0, 5)
    .map((mimeType) => same(`files of ${JSON.stringify(mimeType)}`, ["media.list", { mimeType, limit: 3 }])),
  ...[null, 7, {}].map((wrong) =>
    same(`files by ${JSON.stringify(wrong)}`, ["media.list", { mimeType: wrong, cursor: wrong, limit: 2 }]),
  ),
  same(
    "pages of files",
    ["media.list", { limit: 60, cursor: seedId(410) }],
    ["media.list", { limit: 60, cursor: from(0, "cursor") }],
  ),
  ...[undefined, null].map((options) =>
    same(`files with ${JSON.stringify(options)} as options`, ["media.list", options]),
  ),
  ...[
    "a.png",
    "dir/b.PNG",
    "noext",
    "x.tar.gz",
    "dot.",
    ".hidden",
    "a.toolongextension",
    "a.ä",
    "a b.c d",
    "日本.jpg",
    "",
  ].map((name) =>
    same(
      `uploads ${JSON.stringify(name)}`,
      ["media.upload", name, "image/png", BYTES],
      ["media.get", from(0, "mediaId")],
      ["media.delete", from(0, "mediaId")],
      ["media.get", from(0, "mediaId")],
    ),
  ),
  ...[
    "image/svg+xml",
    "video/mp4",
    "audio/x",
    "application/pdf",
    "application/json",
    "text/html",
    "IMAGE/PNG",
    "",
    " image/png",
  ].map((type) => same(`uploads a ${JSON.stringify(type)}`, ["media.upload", "f.bin", type, BYTES])),
  ...[
    new Uint8Array(),
    BYTES.buffer,
    BYTES.subarray(2, 4),
    new Uint16Array([1, 256]),
    new DataView(BYTES.buffer, 1, 2),
  ].map((bytes, at) =>
    same(
      `uploads bytes of kind ${at}`,
      ["media.upload", "a.png", "image/png", bytes],
      ["media.get", from(0, "mediaId")],
    ),
  ),
  ...[[1, 2], "text", null, undefined, 7, {}].map((bytes) =>
    differs(
      "media-words",
      `${JSON.stringify(bytes)} are no bytes`,
      [{ error: "media.upload: bytes must be an ArrayBuffer or a view of one" }],
      ["media.upload", "a.png", "image/png", bytes],
    ),
  ),
  ...["image/", "application/pdfx", "image/png\r\nx: y"].map((type) =>
    differs(
      "media-types",
      `${JSON.stringify(type)} is no type`,
      [
        refused(
          "media/upload",
          `Unsupported content type: ${type}. Allowed: image/*, video/*, audio/*, application/pdf`,
        ),
      ],
      ["media.upload", "f.bin", type, BYTES],
    ),
  ),
  differs(
    "media-store-errors",
    "a file that the store refuses",
    [refused("media/upload", "The file could not be stored")],
    ["media.upload", "a.png", "image/x-refused", BYTES],
  ),
  ...NO_STRINGS.map(([name, wrong]) =>
    same(
      `${name} in a media call`,
      ["media.get", wrong],
      ["media.delete", wrong],
      ["media.upload", wrong, "image/png", BYTES],
      ["media.upload", "a.png", wrong, BYTES],
    ),
  ),
  same(
    "deletes once",
    ["media.upload", "a.png", "image/png", BYTES],
    ["media.delete", from(0, "mediaId")],
    ["media.delete", from(0, "mediaId")],
  ),
  same("deletes what was never there", ["media.delete", "nope"]),
  same("no address to upload to", ["media.getUploadUrl"], ["media.getUploadUrl", "a.png", "image/png"]),
];

const users: Case[] = [
  ...[7, "x"].map((options) =>
    differs(
      "odd-options",
      `users with ${JSON.stringify(options)} as options`,
      [value(expect.objectContaining({ nextCursor: expect.any(String) }))],
      ["users.list", options],
    ),
  ),
  ...[10.5, "admin", {}].map((role) =>
    differs(
      "user-roles",
      `users of role ${JSON.stringify(role)}`,
      [refused("users/list", "Parameter role must be a whole number when provided")],
      ["users.list", { role, limit: 3 }],
    ),
  ),
  ...["user001", "user000", "nope", ...ODD_NAMES.slice(0, 8)].map((id) =>
    same(`the user ${JSON.stringify(id)}`, ["users.get", id]),
  ),
  ...["user1@parity.example", "USER1@Parity.Example", " user1@parity.example", "nope@x", "", "%"].map(
    (email) => same(`the user of ${JSON.stringify(email)}`, ["users.getByEmail", email]),
  ),
  ...LIMITS.map((limit) => same(`users, a limit of ${JSON.stringify(limit)}`, ["users.list", { limit }])),
  ...[0, 10, 40, 99, -1, "10"].map((role) =>
    same(`users of role ${JSON.stringify(role)}`, ["users.list", { role, limit: 3 }]),
  ),
  same(
    "pages of users",
    ["users.list", { limit: 60 }],
    ["users.list", { limit: 60, cursor: from(0, "nextCursor") }],
    ["users.list", { cursor: "user003" }],
  ),
  ...[null, 7, {}].map((cursor) =>
    same(`users after ${JSON.stringify(cursor)}`, ["users.list", { cursor, limit: 2 }]),
  ),
  ...[undefined, null].map((options) =>
    same(`users with ${JSON.stringify(options)} as options`, ["users.list", options]),
  ),
  ...NO_STRINGS.map(([name, wrong]) =>
    same(`${name} is no user`, ["users.get", wrong], ["users.getByEmail", wrong]),
  ),
];

const MESSAGE = { to: "a@b.example", subject: "S", text: "T" };

const email: Case[] = [
  ...[
    MESSAGE,
    { ...MESSAGE, html: "<p>" },
    { ...MESSAGE, more: 1 },
    { to: "", subject: "", text: "" },
    { ...MESSAGE, text: repeat("é", 100_000) },
  ].map((message, at) => same(`sends message ${at}`, ["email.send", message])),
  ...[
    undefined,
    null,
    "text",
    [],
    {},
    { to: "a" },
    { ...MESSAGE, to: ["a"] },
    { ...MESSAGE, subject: null },
    { ...MESSAGE, text: 7 },
    { ...MESSAGE, html: null },
    { ...MESSAGE, html: 7 },
  ].map((message) => same(`${JSON.stringify(message)} is no message`, ["email.send", message])),
  differs(
    "email-errors",
    "a provider that refuses",
    [refused("email/send", "The email could not be sent")],
    ["email.send", { ...MESSAGE, subject: "refuse this" }],
  ),
];

export const mediaUsersTaxonomies: Case[] = [...taxonomies, ...media, ...users, ...email];
