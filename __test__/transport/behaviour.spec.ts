/** The suites of what a site sees of its plugins, where these and the host meet on ports of 127.0.0.1. */
import { beforeAll, describe } from "vitest";
import { makeRunner } from "../support/runner.js";
import "../support/tcp.js";

// What is said once is said before: no suite expects it among its lines.
beforeAll(() => void makeRunner());

for (const suite of ["audit-log", "bulk-lane", "ctx", "media-lane", "network", "wall-time"]) {
  describe(suite, async () => void (await import(`../${suite}.spec.ts`)));
}

for (const suite of ["caps", "ends", "fetch"]) {
  describe(`fetch/${suite}`, async () => void (await import(`../fetch/${suite}.spec.ts`)));
}
