/** Every command in the documents is run: here, by the test or step that the table names, or not at all for a reason. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cloneInto } from "../../scripts/clone.mjs";
import { packageJson, program, ROOT } from "../support/package.js";
import { commandsOf, NOT_RUN, RUN_ELSEWHERE, RUN_HERE } from "./commands.js";

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(file));
const commands = commandsOf(files.filter((file) => file.endsWith(".md")));
const plain = (text: string) => text.replaceAll(/\s+/g, " ").replaceAll('\\"', '"');

describe("the commands of the documents", () => {
  it("are found: in blocks, in tables, and where one is broken in two by a line's end", () => {
    expect(commands.size).toBeGreaterThan(40);
    expect([...commands.keys()]).toEqual(
      expect.arrayContaining(["npm run demo:site", "npm run demo:site -- --dev", "npm test"]),
    );
  });

  it.each([...commands])("%s is run, or there is a reason why not", (command) => {
    const places = [RUN_HERE, RUN_ELSEWHERE, NOT_RUN].filter((table) => Object.hasOwn(table, command));
    expect(places).toHaveLength(1);
  });

  it("are all that the tables have, because an entry outlives its command", () => {
    const entries = [RUN_HERE, RUN_ELSEWHERE, NOT_RUN].flatMap((table) => Object.keys(table));
    expect(entries.filter((command) => !commands.has(command))).toEqual([]);
  });

  it.each(Object.entries(RUN_ELSEWHERE))("%s is run by the file that is named", (_command, [file, text]) => {
    expect(plain(readFileSync(file, "utf8"))).toContain(text);
    expect(isRun(file), `${file} is itself run by CI or by a test`).toBe(true);
  });
});

/** By CI, by vitest, by npm, or by something that is. */
function isRun(file: string, seen: string[] = []): boolean {
  if (/^(\.ci\/run|package\.json|\.github\/workflows\/[\w.]+|__test__\/.*\.spec\.ts)$/.test(file))
    return true;
  const name = `/${file}`.split("/").at(-1) ?? "";
  const runners = files.filter(
    (other) =>
      /^(\.ci\/run$|package\.json$|scripts\/|__test__\/)/.test(other) &&
      other !== file &&
      !seen.includes(other),
  );
  return runners.some(
    (other) => readFileSync(other, "utf8").includes(`/${name}`) && isRun(other, [...seen, file]),
  );
}

describe("run here", () => {
  let folder: string;
  let clone: string;
  // Vitest's own are not what a shell has.
  const { NODE_ENV: _, VITEST: __, EMDASH_SANDBOX_JAIL_STRICT: ___, ...shell } = process.env;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-docs-"));
    clone = join(folder, "clone");
    await cloneInto(clone);
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(Object.entries(RUN_HERE))(
    "%s",
    (
      command,
      { with: [placeholder, value] = ["", ""], more = "", env = {}, isHere, files = [], says, makes = [] },
    ) => {
      const cwd = isHere ? ROOT : clone;
      for (const [name, before] of files) writeFileSync(join(cwd, name), before);
      const line = `${placeholder === "" ? command : command.replace(placeholder, value)}${more}`;
      const { code, out, err } = program("sh", ["-c", line], {
        cwd,
        env: { ...shell, NO_COLOR: "1", ...env },
      });
      expect([line, code], `${out}\n${err}`).toEqual([line, 0]);
      if (says) expect(`${out}\n${err}`).toMatch(says);
      for (const [name, , after] of files) expect(readFileSync(join(cwd, name), "utf8")).toBe(after);
      const made = makes.length === 0 ? [] : listed(cwd);
      for (const pattern of makes) expect(made.filter((file) => pattern.test(file))).toHaveLength(1);
    },
    // The first build of a machine is in it: Rust, twice.
    1_800_000,
  );

  it("and what they are for was done: an exact version, and one version for all packages", () => {
    const { dependencies, version } = packageJsonOf(".");
    expect(dependencies?.picocolors).toBe("1.1.1");
    const versions = readdirSync(join(clone, "npm")).map((name) => packageJsonOf(`npm/${name}`).version);
    expect([version, ...new Set(versions)]).toEqual(["9.8.7", "9.8.7"]);
    expect(packageJson().version).not.toBe("9.8.7");
  });

  function packageJsonOf(path: string): { version: string; dependencies?: Record<string, string> } {
    return JSON.parse(readFileSync(join(clone, path, "package.json"), "utf8"));
  }
});

function listed(folder: string): string[] {
  return ["dist", "npm", "packed"]
    .filter((name) => existsSync(join(folder, name)))
    .flatMap((name) =>
      readdirSync(join(folder, name), { recursive: true, encoding: "utf8" }).map((path) => `${name}/${path}`),
    );
}
