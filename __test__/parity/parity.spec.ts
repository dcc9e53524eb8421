/** The same calls by the same plugin, to the peer and to us, on equal databases: the answers are compared. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";
import type { Case, Outcome } from "./case.js";
import { subjects } from "./cases/index.js";
import { handlerLane, type Lane, peerLane, processLane, type Site } from "./lanes.js";
import { mask } from "./mask.js";
import { REWRITES, reconcile } from "./reconcile.js";
import { seed, seededIds } from "./seed.js";

describe.each(databaseKinds())("parity on %s", (kind, open) => {
  const databases: TemporaryDatabase[] = [];
  const lanes: Lane[] = [];
  const rewritten = new Set<string>();

  beforeAll(async () => {
    for (const level of ["debug", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation(() => {});
    }
    for (const start of [peerLane, processLane, handlerLane]) {
      const database = await open();
      databases.push(database);
      await seed(database.db);
      lanes.push(await start(siteOf(database)));
    }
  });

  afterAll(async () => {
    for (const lane of lanes) await lane.close();
    for (const database of databases) await database.close();
  });

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
    const outcomes = await Promise.all(lanes.map((lane) => lane.run(plugin, calls)));
    const [peer = [], process = [], handler = []] = outcomes.map((each) => mask(each, seededIds));
    return [reconcile(peer, calls, rewritten), process, handler];
  }
});

/** A store of files and a provider of e-mail that refuse what asks for it. */
function siteOf({ db }: TemporaryDatabase): Site {
  return {
    db,
    mediaStorage: {
      async upload({ contentType }) {
        if (contentType === "image/x-refused") throw new Error("the store is full");
        return {};
      },
      async delete() {},
    } as NonNullable<Site["mediaStorage"]>,
    async emailSend({ subject }) {
      if (subject === "refuse this") throw new Error("the provider refuses");
    },
  };
}
