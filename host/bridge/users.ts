/** `ctx.users`: who works on the site. Never more than these columns. */
import { type Database, operation } from "./operation.js";

export const get = operation<[id: string]>(async ({ db }, _plugin, [id]) => {
  const user = await users(db).where("id", "=", id).executeTakeFirst();
  return JSON.stringify(user ?? null);
});

/** EmDash keeps addresses in lower case. */
export const getByEmail = operation<[email: string]>(async ({ db }, _plugin, [email]) => {
  const user = await users(db).where("email", "=", email.toLowerCase()).executeTakeFirst();
  return JSON.stringify(user ?? null);
});

/** Newest first. */
export const list = operation<[role: string | null, limit: string, cursor: string | null]>(
  async ({ db }, _plugin, [role, limitText, cursor]) => {
    const limit = Number(limitText);
    let query = users(db)
      .orderBy("id", "desc")
      .limit(limit + 1);
    if (role !== null) query = query.where("role", "=", Number(role));
    if (cursor !== null) query = query.where("id", "<", cursor);

    const found = await query.execute();
    const items = found.slice(0, limit);
    return JSON.stringify({ items, nextCursor: found.length > limit ? items.at(-1)?.id : undefined });
  },
);

function users(db: Database) {
  return db.selectFrom("users").select(["id", "email", "name", "role", "created_at as createdAt"]);
}
