/** The sites of the parity suite: equal databases, each with a lane of its own. */
import { vi } from "vitest";
import type { TemporaryDatabase } from "../support/database.js";
import type { Lane, Site } from "./lanes.js";
import { seed } from "./seed.js";

export class Sites {
  readonly lanes: Lane[] = [];
  readonly #databases: TemporaryDatabase[] = [];

  /** A database for each lane. What the lanes print goes nowhere. */
  async open(
    database: () => Promise<TemporaryDatabase>,
    starts: ((site: Site) => Promise<Lane>)[],
  ): Promise<void> {
    for (const level of ["debug", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation(() => {});
    }
    for (const start of starts) {
      const opened = await database();
      this.#databases.push(opened);
      await seed(opened.db);
      this.lanes.push(await start(siteOf(opened)));
    }
  }

  async close(): Promise<void> {
    for (const lane of this.lanes) await lane.close();
    for (const database of this.#databases) await database.close();
  }
}

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
