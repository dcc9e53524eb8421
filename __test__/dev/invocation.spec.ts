/** The suites of `__test__/invocation/` on the development runner. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { MiniflareDevRunner } from "../../host/dev/runner.js";
import { useRunnerClass } from "../support/runner.js";

useRunnerClass(MiniflareDevRunner);

const FOLDER = join(import.meta.dirname, "../invocation");

// Each in a suite of its own, since a suite's hooks are for its tests alone.
for (const file of readdirSync(FOLDER)) {
  describe(file, async () => void (await import(join(FOLDER, file))));
}
