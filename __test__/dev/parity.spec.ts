/** The parity plugin's cases on both of our runners: what works in development works in production. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MiniflareDevRunner } from "../../host/dev/runner.js";
import type { Case } from "../parity/case.js";
import { subjects } from "../parity/cases/index.js";
import { type Lane, processLane, runnerLane, type Site, siteInfo } from "../parity/lanes.js";
import { mask } from "../parity/mask.js";
import { seededIds } from "../parity/seed.js";
import { Sites } from "../parity/site.js";
import { temporaryDatabase } from "../support/database.js";

const sites = new Sites();

beforeAll(() => sites.open(temporaryDatabase, [processLane, miniflareLane]));
afterAll(() => sites.close());

describe.each(subjects)("%s", (_subject, cases) => {
  // Not `it.each`, which would see formats in the names.
  for (const row of cases) it(row.name, () => compare(row));
});

async function compare({ plugin, calls }: Case): Promise<void> {
  const outcomes = await Promise.all(sites.lanes.map((lane) => lane.run(plugin, calls)));
  const [production, development] = outcomes.map((each) => mask(each, seededIds));
  expect(development, "development and production").toEqual(production);
}

async function miniflareLane(site: Site): Promise<Lane> {
  const runner = new MiniflareDevRunner({ ...site, siteInfo });
  return runnerLane(runner, () => runner.terminateAll());
}
