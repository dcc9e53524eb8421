/** The same calls by the same plugin, to the peer and to us, on equal databases: the answers are compared. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databaseKinds } from "../support/database.js";
import type { Case, Outcome } from "./case.js";
import { subjects } from "./cases/index.js";
import { handlerLane, peerLane, processLane } from "./lanes.js";
import { mask } from "./mask.js";
import { REWRITES, reconcile } from "./reconcile.js";
import { seededIds } from "./seed.js";
import { Sites } from "./site.js";

describe.each(databaseKinds())("parity on %s", (kind, open) => {
  const sites = new Sites();
  const rewritten = new Set<string>();

  beforeAll(() => sites.open(open, [peerLane, processLane, handlerLane]));
  afterAll(() => sites.close());

  describe.each(subjects)("%s", (_subject, cases) => {
    // Not `it.each`, which would see formats in the names.
    for (const row of cases) it(row.name, () => compare(row));
  });

  it("took every rewriting of reconcile.ts, so that each is still a difference", () => {
    expect([...rewritten].sort()).toEqual(Object.keys(REWRITES).sort());
  });

  async function compare(row: Case): Promise<void> {
    const [peer, process, handler] = await runEverywhere(row);
    const differs = row.differs !== undefined && (row.differs.on?.includes(kind) ?? true);
    if (row.differs !== undefined && differs) {
      expect(process, "ours").toEqual(row.differs.ours);
      expect(process, "no difference any more").not.toEqual(peer);
    } else {
      expect(process, "ours and the peer's").toEqual(peer);
    }
    const strict = row.differs?.id === "implied-capabilities";
    expect(handler, "createBridgeHandler").toEqual(strict ? peer : process);
  }

  async function runEverywhere({ plugin, calls }: Case): Promise<[Outcome[], Outcome[], Outcome[]]> {
    const outcomes = await Promise.all(sites.lanes.map((lane) => lane.run(plugin, calls)));
    const [peer = [], process = [], handler = []] = outcomes.map((each) => mask(each, seededIds));
    return [reconcile(peer, calls, rewritten), process, handler];
  }
});
