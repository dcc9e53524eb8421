/** Several hosts on one database serve the same plugin. PostgreSQL, since a file is one host's. */
import { expect, it } from "vitest";
import { createCollection, databaseKinds } from "./support/database.js";
import { Host } from "./support/host.js";

const postgres = databaseKinds().find(([kind]) => kind === "PostgreSQL");

it.skipIf(postgres === undefined)(
  "two hosts write through the same plugin at once on one PostgreSQL, and nothing is lost",
  async () => {
    const database = await postgres?.[1]();
    if (database?.url === undefined) throw new Error("a PostgreSQL database has a URL");
    try {
      await createCollection(database.db, "posts", { title: "string" });
      const count = 60;
      const hosts = ["north", "south"].map(
        (name) => new Host("on-postgres.mjs", { args: [String(database.url), name, String(count)] }),
      );
      for (const host of hosts) {
        expect(await host.ended, host.err).toEqual({ code: 0, signal: null });
        expect(host.out).toContain("written");
      }
      const rows = await database.db
        .selectFrom("_plugin_storage")
        .where("plugin_id", "=", "shared")
        .select(["collection", "id", "data"])
        .execute();
      const idsOf = (collection: string) =>
        rows
          .filter((row) => row.collection === collection)
          .map((row) => row.id)
          .sort();
      const each = (prefix: string) => Array.from({ length: count }, (_, at) => `${prefix}-${at}`);
      expect(idsOf("__kv")).toEqual([...each("north"), ...each("south"), "shared"].sort());
      expect(idsOf("notes")).toEqual([...each("both"), ...each("north"), ...each("south")].sort());
      expect(rows.find((row) => row.id === "shared")?.data).toMatch(/^"(north|south)-\d+"$/);
      const posts = database.db as never as {
        selectFrom(table: string): { select(columns: string[]): { execute(): Promise<{ title: string }[]> } };
      };
      const titles = await posts.selectFrom("ec_posts").select(["title"]).execute();
      expect(new Set(titles.map(({ title }) => title)).size).toBe(2 * count);
    } finally {
      await database.close();
    }
  },
);
