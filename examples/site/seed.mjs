/**
 * Fills the database that the site finds in this folder: EmDash's tables and default collections, two posts, an
 * administrator. Prints a link that signs her in, once. A second time only the link is new.
 *
 *   node seed.mjs http://localhost:4321
 */
import { Role, sendMagicLink } from "@emdash-cms/auth";
import { createKyselyAdapter } from "@emdash-cms/auth/adapters/kysely";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { OptionsRepository } from "emdash";
import { runMigrations } from "emdash/db";
import { applySeed, defaultSeed } from "emdash/seed";
import { Kysely } from "kysely";

const SITE = { name: "A site with plugins", locale: "en" };
const ADMIN = { name: "Ada", email: "ada@example.com" };

const [baseUrl] = process.argv.slice(2);
if (!baseUrl) throw new Error("usage: node seed.mjs URL");

const db = new Kysely({ dialect: new LibsqlDialect({ url: "file:./site.db" }) });
try {
  await runMigrations(db);
  await applySeed(db, seed(), { includeContent: true, onConflict: "skip" });
  await setUp();
  console.log(await signInLink());
} finally {
  await db.destroy();
}

function seed() {
  return {
    ...defaultSeed,
    settings: { title: SITE.name },
    content: {
      posts: [
        post("hello", "Hello", "A post that came with the site."),
        post(
          "plugins",
          "Two plugins",
          "The audit log has not seen this one: it was there before the plugins.",
        ),
      ],
    },
  };
}

function post(slug, title, text) {
  const block = { _type: "block", _key: slug, style: "normal", markDefs: [] };
  const content = [{ ...block, children: [{ _type: "span", _key: `${slug}-1`, text, marks: [] }] }];
  return { id: slug, slug, status: "published", data: { title, content } };
}

/** What the setup wizard would have asked. */
async function setUp() {
  const options = new OptionsRepository(db);
  await options.set("emdash:site_title", SITE.name);
  await options.set("emdash:site_url", baseUrl);
  await options.set("emdash:locale", SITE.locale);
  await options.set("emdash:setup_complete", true);
}

/** The link that EmDash would mail. */
async function signInLink() {
  const users = createKyselyAdapter(db);
  if (!(await users.getUserByEmail(ADMIN.email)))
    await users.createUser({ ...ADMIN, role: Role.ADMIN, emailVerified: true });
  let link = "";
  const email = async ({ text }) => {
    [link] = text.match(/https?:\S+/);
  };
  await sendMagicLink({ baseUrl, siteName: SITE.name, email }, users, ADMIN.email);
  return link;
}
