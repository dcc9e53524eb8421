/** The same calls by the same plugin, to the peer and to us, on equal databases: the answers are compared. */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { databaseKinds } from "../support/database.js";
import type { Case, Outcome } from "./case.js";
import { subjects } from "./cases/index.js";
import { handlerLane, peerLane, processLane } from "./lanes.js";
import { mask } from "./mask.js";
import { REWRITES, reconcile } from "./reconcile.js";
import { seededIds } from "./seed.js";
import { Sites } from "./site.js";

/** Cases of these are written, and count as skipped until they are there. */
const STILL_TO_COME = ["ctx.http.fetch"];

describe.each(databaseKinds())("parity on %s", (kind, open) => {
  const sites = new Sites();
  const rewritten = new Set<string>();
  const pending = new Set<string>();

  beforeAll(() => sites.open(open, [peerLane, processLane, handlerLane]));
  afterAll(() => sites.close());

  describe.each(subjects)("%s", (_subject, cases) => {
    // Not `it.each`, which would see formats in the names.
    for (const row of cases) it(row.name, (context) => compare(row, context));
  });

  it("took every rewriting of reconcile.ts, so that each is still a difference", () => {
    expect([...rewritten].sort()).toEqual(Object.keys(REWRITES).sort());
  });

  it("passed over the members that are still to come, and no others", () => {
    expect([...pending].sort()).toEqual(STILL_TO_COME);
  });

  async function compare(row: Case, { skip }: TestContext): Promise<void> {
    const [peer, process, handler] = await runEverywhere(row);
    for (const member of process.flatMap(notYet)) pending.add(member);
    skip(process.flatMap(notYet).length > 0, "a member of ctx that is still to come");
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

/** The member that the outcome says is still to come. */
function notYet(outcome: Outcome): string[] {
  const member = "error" in outcome && /^(ctx\.\S+) is not available yet/.exec(outcome.error)?.[1];
  return member ? [member] : [];
}
