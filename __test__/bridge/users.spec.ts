import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerOf } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

const created_at = "2026-01-01T00:00:00.000Z";

describe.each(databaseKinds())("users on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let call: Caller;
  beforeAll(async () => {
    database = await open();
    call = callerOf(database.db, { id: "reader" });
    const users = ["A", "B", "C"].map((letter, at) => ({
      id: `01${letter}`,
      email: `${letter.toLowerCase()}@example.org`,
      name: at === 0 ? null : `N'${letter}`,
      role: at === 2 ? 50 : 10,
      email_verified: 1,
      data: '{"secret":1}',
      created_at,
    }));
    await database.db.insertInto("users").values(users).execute();
  });
  afterAll(() => database.close());

  const b = { id: "01B", email: "b@example.org", name: "N'B", role: 10, createdAt: created_at };

  it("gives what plugins may know of one, and no more", async () => {
    expect(await call("users/get", "01B")).toEqual(b);
    expect(await call("users/get", "01A")).toMatchObject({ name: null });
    expect(await call("users/get", "nobody")).toBeNull();
  });

  it("finds an address in any case", async () => {
    expect(await call("users/getByEmail", "B@Example.ORG")).toEqual(b);
    expect(await call("users/getByEmail", "b@example.or_")).toBeNull();
  });

  it("lists the newest first, by role and page by page", async () => {
    expect(await call("users/list", "10", "50", null)).toMatchObject({ items: [b, { id: "01A" }] });
    expect(await call("users/list", "30", "50", null)).toEqual({ items: [] });
    const first = (await call("users/list", null, "2", null)) as { nextCursor: string };
    expect(first).toMatchObject({ items: [{ id: "01C" }, { id: "01B" }], nextCursor: "01B" });
    expect(await call("users/list", null, "2", first.nextCursor)).toEqual({
      items: [expect.objectContaining({ id: "01A" })],
    });
  });
});
