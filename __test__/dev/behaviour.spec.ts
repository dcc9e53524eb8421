/** The suites of what a site sees of its plugins, on the development runner. */
import { describe } from "vitest";
import { MiniflareDevRunner } from "../../host/dev/runner.js";
import { useRunnerClass } from "../support/runner.js";

useRunnerClass(MiniflareDevRunner);

// Each in a suite of its own, since a suite's hooks are for its tests alone.
for (const suite of ["audit-log", "media-lane", "network", "wall-time"]) {
  describe(suite, async () => void (await import(`../${suite}.spec.ts`)));
}
