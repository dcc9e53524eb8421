/** Every message of docs/operations.md is said by the code, and every error that the code gives is there. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(file));
const read = (file: string) => readFileSync(file, "utf8");
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = ""]) => found);

/** As it reads when it is said. */
const code = files
  .filter((file) => /^(src|launcher|host|guest|__test__)\//.test(file) && !file.startsWith("__test__/docs/"))
  .map(read)
  .join("\n")
  .replaceAll('\\"', '"')
  .replaceAll("{{", "{")
  .replaceAll("}}", "}");

/** No messages: a fault of ours that no caller can bring about, SQL, a stand-in for a value, an example in a test. */
const NOT_FOR_A_PERSON = new Set([
  "the bytes of this upload are not there",
  "CASE WHEN jsonb_typeof((data)::jsonb->'$" + "{name}') = 'number' THEN ($" + "{text})::numeric END",
  "a value that can't be shown",
  "it threw: Error: boom at f (plugin.js:1:25)",
]);

/** A brace that is said stands aside while those around what differs are looked for. */
const [OPEN, CLOSE] = ["\u0001", "\u0002"];
const braced = (text: string) => text.replaceAll(OPEN, "{").replaceAll(CLOSE, "}");

/** The parts of a message that do not differ, where they are more than a word. */
const fixed = (message: string, hole: RegExp) =>
  message
    .split(hole)
    .map((piece) => piece.trim())
    .filter((piece) => /\w{3,}/.test(piece));

describe("docs/operations.md", () => {
  const page = read("docs/operations.md").replaceAll("\\|", "|");
  const messages = page.split("\n## Messages\n")[1] ?? "";
  const firstCells = messages.split("\n").flatMap((line) => /^\| (.*?`) \| /.exec(line)?.[1] ?? []);
  const texts = firstCells.flatMap((cell) => matches(cell, /`([^`]+)`/g));

  it("has messages", () => {
    expect(texts.length).toBeGreaterThan(120);
  });

  it.each(texts)("%s is said somewhere", (message) => {
    // What stands between the parts that differ, word for word, in the code or in the test that expects it.
    const sure = fixed(message, /<[^>]+>|…/);
    if (message !== "<why>") expect(sure.length).toBeGreaterThan(0);
    expect(sure.filter((piece) => !code.includes(piece))).toEqual([]);
  });

  const said = files
    .filter((file) => /^(src|host)\/.*\.(rs|ts)$/.test(file) && !/test|^host\/(cli|dev)\//.test(file))
    .flatMap((file) => errorsIn(read(file)).map((message) => [message, file] as const));

  it("the code says messages", () => {
    expect(said.length).toBeGreaterThan(80);
  });

  it.each(said)("has %s, of %s, with what to do about it", (message) => {
    const known = messages.replaceAll("`", "");
    const pieces = fixed(message.replaceAll("`", ""), /\$?\{[^}]*\}/).map(braced);
    expect(pieces.filter((piece) => !known.includes(piece))).toEqual([]);
  });
});

/** What the code gives as an error's text, or as the reason why there are no plugins. */
function errorsIn(text: string): string[] {
  const rust = matches(text, /#\[error\(\s*"((?:[^"\\]|\\.)*)"/g);
  const words =
    /(?:reason: |const reason = |return |new PublicError\(\s*|new RangeError\(\s*)(?:`([^`]+)`|"([^"]+)")/g;
  const script = [...text.matchAll(words)].map(([, template, plain]) => template ?? plain ?? "");
  return (
    [...rust, ...script]
      .map((message) => message.replaceAll('\\"', '"').replace("emdash-sandbox-native: ", ""))
      .map((message) => message.replaceAll("{{", OPEN).replaceAll("}}", CLOSE))
      .filter((message) => fixed(message, /\$?\{[^}]*\}/).some((piece) => /\w\S* \S*\w/.test(piece)))
      // A brace that is said, and none around what differs.
      .filter((message) => !NOT_FOR_A_PERSON.has(message))
  );
}
