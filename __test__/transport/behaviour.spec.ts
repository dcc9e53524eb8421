/** The suites of what a site sees of its plugins, where these and the host meet on ports of 127.0.0.1. */
import { describe } from "vitest";
import "../support/tcp.js";

for (const suite of ["audit-log", "bulk-lane", "ctx", "media-lane", "network", "wall-time"]) {
  describe(suite, async () => void (await import(`../${suite}.spec.ts`)));
}

for (const suite of ["caps", "ends", "fetch"]) {
  describe(`fetch/${suite}`, async () => void (await import(`../fetch/${suite}.spec.ts`)));
}
