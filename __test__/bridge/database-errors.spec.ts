import { describe, expect, it } from "vitest";
import { isMissingTable, PublicError, publicMessage } from "../../host/bridge/database-errors.js";

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
