/** docs/differences.md and the suite say the same. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { subjects } from "./cases/index.js";
import { REWRITES } from "./reconcile.js";

const ROOT = join(import.meta.dirname, "../..");

const rows = readFileSync(join(ROOT, "docs/differences.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => {
    const cells = line.split(" | ");
    const code = (cell: string | undefined) => /`([^`]+)`/.exec(cell ?? "")?.[1] ?? "";
    return { id: code(cells[0]), test: code(cells.at(-1)), line };
  });

it("each row of docs/differences.md has an id of its own", () => {
  const ids = rows.map(({ id }) => id);
  expect(ids.length).toBeGreaterThan(20);
  expect(ids).toEqual([...new Set(ids)]);
});

it("the rows that say so are those that the parity suite checks", () => {
  const cases = subjects.flatMap(([, rows]) => rows).flatMap(({ differs }) => differs?.id ?? []);
  const checked = new Set([...cases, ...Object.keys(REWRITES)]);
  const said = rows.filter(({ test }) => test === "parity").map(({ id }) => id);
  expect(said.sort()).toEqual([...checked].sort());
});

it("any other row names a test that there is", () => {
  for (const { test, line } of rows) {
    if (test !== "parity") expect(existsSync(join(ROOT, "__test__", test)), line).toBe(true);
  }
});

it("there are at least 300 cases, and no two of a subject have the same name", () => {
  expect(subjects.flatMap(([, cases]) => cases).length).toBeGreaterThanOrEqual(300);
  for (const [subject, cases] of subjects) {
    const names = cases.map(({ name }) => name);
    expect(names, subject).toEqual([...new Set(names)]);
  }
});
