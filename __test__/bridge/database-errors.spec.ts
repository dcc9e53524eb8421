import { describe, expect, it } from "vitest";
import {
  constraintViolation,
  HiddenError,
  isMissingTable,
  PublicError,
  publicMessage,
} from "../../host/bridge/database-errors.js";

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

describe("what a plugin learns of an error", () => {
  it.each([
    ["a validation error's words", named("StorageQueryError", "Cannot query"), "Cannot query"],
    [
      "a cursor error's words",
      named("InvalidCursorError", "Invalid pagination cursor: x"),
      "Invalid pagination cursor: x",
    ],
    ["what ours shows of another", new HiddenError("it failed", new Error("secret")), "it failed"],
    ["ours, when meant for it", new PublicError("storage needs this"), "storage needs this"],
    ["nothing of a driver's", named("LibsqlError", 'SQLITE_ERROR: near "from"'), "Database error in kv/get"],
    ["nothing of a bug's", new TypeError("x is undefined"), "Database error in kv/get"],
    ["nothing of what is no error", "select secret", "Database error in kv/get"],
  ])("%s", (_what, error, words) => {
    expect(publicMessage(error, "kv/get")).toBe(words);
  });
});

describe("a missing table", () => {
  it.each([
    [true, "SQLite's words", new Error("no such table: ec_x")],
    [true, "PostgreSQL's code", Object.assign(new Error("relation"), { code: "42P01" })],
    [true, "a cause", new Error("query failed", { cause: new Error("SQLITE_ERROR: no such table: ec_x") })],
    [false, "a missing column", new Error("no such column: deleted_at")],
    [false, "PostgreSQL's missing column", Object.assign(new Error("column"), { code: "42703" })],
    [false, "no error at all", undefined],
  ])("%s for %s", (expected, _what, error) => {
    expect(isMissingTable(error)).toBe(expected);
  });

  it("ends on causes that go round", () => {
    const error = new Error("round");
    error.cause = error;
    expect(isMissingTable(error)).toBe(false);
  });
});

describe("a row that the database refused", () => {
  const postgres = (code: string, more: object) => Object.assign(new Error("refused"), { code, ...more });

  it.each([
    [
      "SQLite's unique",
      new Error("UNIQUE constraint failed: ec_posts.slug, ec_posts.locale"),
      "slug, locale",
    ],
    [
      "libSQL's, around SQLite's",
      new Error("failed", {
        cause: new Error("SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: ec_posts.slug"),
      }),
      "slug",
    ],
    [
      "PostgreSQL's unique",
      postgres("23505", { detail: "Key (slug, locale)=(secret, en) already exists." }),
      "slug, locale",
    ],
  ])("says what is taken, by %s", (_whose, error, columns) => {
    expect(constraintViolation(error, "posts")?.message).toBe(
      `Already in use in collection 'posts': ${columns}`,
    );
  });

  it.each([
    ["SQLite", new Error("NOT NULL constraint failed: ec_posts.title")],
    ["PostgreSQL", postgres("23502", { column: "title" })],
  ])("says what is missing, by %s", (_whose, error) => {
    expect(constraintViolation(error, "posts")?.message).toBe(
      "Field 'title' is required in collection 'posts'",
    );
  });

  it("says nothing of any other error", () => {
    for (const error of [
      new Error("disk full"),
      postgres("23505", {}),
      postgres("40001", {}),
      "text",
      null,
    ]) {
      expect(constraintViolation(error, "posts")).toBeUndefined();
    }
  });
});
