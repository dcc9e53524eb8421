/** `ctx.http.fetch` on the development runner: the suites of `__test__/fetch/` that are about what a plugin gets. */
import { join } from "node:path";
import { describe } from "vitest";
import { MiniflareDevRunner } from "../../host/dev/runner.js";
import { useRunnerClass } from "../support/runner.js";

useRunnerClass(MiniflareDevRunner);

for (const file of ["fetch.spec.ts", "policy.spec.ts", "https.spec.ts", "intrinsics.spec.ts"]) {
  describe(file, async () => void (await import(join(import.meta.dirname, "../fetch", file))));
}
