import { expect, it } from "vitest";
import { databaseKinds, missingKinds } from "./support/database.js";

it.each(databaseKinds())("EmDash's migrations run on %s", async (_kind, open) => {
  const database = await open();
  expect(await database.db.selectFrom("_plugin_storage").selectAll().execute()).toEqual([]);
  await database.close();
});

// A database that is not there is not passed over in silence: it counts as skipped.
for (const [kind, why] of missingKinds()) {
  it(`the suites run on ${kind}`, ({ skip }) => skip(why));
}
