/** A site as its owner lives with it, in a browser: set up, written in, attacked by one of its own plugins. */
import { expect, it } from "vitest";
import { freePort } from "../../scripts/site-server.mjs";
import { until } from "../support/until.js";
import { Admin } from "./support/admin.js";
import { meanwhile, save, visit } from "./support/attack.js";
import { describeInBrowser, useBrowser } from "./support/browser.js";
import { RECEIVER, useReceiver } from "./support/receiver.js";
import { useSite } from "./support/site.js";

const PAGES = 60;

const port = await freePort();

describeInBrowser("a site in a browser", () => {
  const receiver = useReceiver(port);
  const site = useSite({
    isSeeded: false,
    env: { EMDASH_SANDBOX_PRIVATE_HOSTS: `${RECEIVER}:${port}` },
    logFile: "test-artifacts/ours/site.log",
  });
  const browser = useBrowser("ours");
  const admin = () => new Admin(browser.page, site.url);
  const first = { id: "", title: "First post" };
  const second = { id: "", title: "Second post" };
  // EmDash answers a save before its plugins have heard of it.
  const recorded = (id: string) =>
    until(() => site.log().includes(`[plugin:audit-log] + create content/posts/${id}`), "it is recorded");

  it("is set up with a passkey, which then signs its owner in", async () => {
    await admin().setUp("A site with plugins", { name: "Ada", email: "ada@example.com" });
    await browser.shoot("set-up-asks-to-sign-in");
    await admin().signIn();
    await browser.shoot("dashboard-of-an-empty-site");
  });

  it("tells its webhook plugin where to deliver, on that plugin's own settings page", async () => {
    await admin().setWebhook(receiver.address);
    await browser.shoot("webhook-settings");
  });

  it("publishes a post that was written in the admin", async () => {
    first.id = await admin().publish(first.title, "Written in a browser.");
    await browser.shoot("published");
    await browser.page.goto(`${site.url}/posts/first-post`);
    await browser.page.getByText("Written in a browser.").waitFor();
    await browser.shoot("public-page");
  });

  it("has its audit plugin's page list the post, in the admin", async () => {
    await recorded(first.id);
    await admin().open("plugins/audit-log/history");
    await browser.page.getByRole("row").filter({ hasText: first.id }).first().waitFor();
    await browser.shoot("audit-history");
  });

  it("has its dashboard show the audit plugin's widget", async () => {
    await admin().open("");
    // EmDash's own list of recent activity shows titles; only the plugin's widget has the collection and the id.
    await browser.page.getByText(`posts/${first.id}`).first().waitFor();
    await browser.shoot("dashboard-with-widget");
  });

  it("has its webhook plugin deliver to the receiver, which the operator opened by name", async () => {
    await until(() => receiver.deliveries.length > 0, "the webhook was delivered");
    expect(receiver.deliveries[0]).toMatchObject({
      event: "content:create",
      collection: "posts",
      resourceId: first.id,
    });
  });

  it("answers every page while a plugin fills its memory, and only that plugin's process is ended", async () => {
    await admin().open("plugins/hostile/hostile");
    await browser.page.getByRole("button", { name: "Eat memory" }).click();
    const answered = await visit(site.url, PAGES);
    await until(() => /\[plugin:hostile\] stopped: .*memory limit of 128MB/.test(site.log()), "it was ended");
    console.log(`ours: ${answered} of ${PAGES} pages answered while a plugin filled its memory`);
    expect(answered).toBe(PAGES);
    expect(site.log()).not.toMatch(/\[plugin:(?!hostile\])[^\]]+\] stopped/);
    await browser.page.getByText("Plugin hostile exceeded memory limit of 128MB").waitFor();
    await browser.shoot("hostile-plugin-ended");
  });

  it("answers every page and every save while a plugin spins for ever at each save", async () => {
    await admin().open("plugins/hostile/hostile");
    await browser.page.getByRole("button", { name: "Arm", exact: true }).click();
    await browser.page.getByText("Armed: the next save spins for ever.").waitFor();
    await browser.shoot("hostile-plugin-armed");

    let saved = 0;
    const saving = async () => {
      if (await save(browser.page, site.url, first.id, `First post, ${saved}`)) saved += 1;
    };
    const [saves, answered] = await meanwhile(saving, visit(site.url, PAGES));
    await until(
      () => /stopped: hook:content:afterSave exceeded/.test(site.log()),
      "the plugin's process was ended",
    );
    const spins = count(site.log(), "spinning for ever");
    console.log(
      `ours: ${answered} of ${PAGES} pages and ${saved} of ${saves} saves answered, with ${spins} endless loops`,
    );
    expect({ answered, saved, spins: spins > 0 }).toEqual({ answered: PAGES, saved: saves, spins: true });

    second.id = await admin().publish(second.title, "Written under attack.");
    await browser.page.goto(`${site.url}/posts/second-post`);
    await browser.page.getByText("Written under attack.").waitFor();
    await browser.shoot("public-page-under-attack");
  });

  it("has its audit log record what was saved under attack", async () => {
    await recorded(second.id);
    await admin().open("plugins/audit-log/history");
    const row = (id: string, action: string) =>
      browser.page.getByRole("row").filter({ hasText: id }).filter({ hasText: action }).first();
    await row(second.id, "create").waitFor();
    await row(first.id, "update").waitFor();
    await browser.shoot("audit-history-after-attack");
  });
});

function count(text: string, what: string): number {
  return text.split(what).length - 1;
}
