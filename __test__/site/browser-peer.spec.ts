/** The same walk with the runner that ours replaces, as an oracle: what it does in our place. It is asked only for what is certain. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../scripts/site-server.mjs";
import { unpackPeer } from "../support/peer.js";
import { until } from "../support/until.js";
import { Admin } from "./support/admin.js";
import { visit } from "./support/attack.js";
import { describeInBrowser, useBrowser } from "./support/browser.js";
import { RECEIVER, useReceiver } from "./support/receiver.js";
import { useSite } from "./support/site.js";

/** As long as ours takes for 60 pages on two busy cores, and a third of what the peer gives a call. */
const PATIENCE_MS = 10_000;

const port = await freePort();

describeInBrowser("the same site with @emdash-cms/sandbox-workerd", () => {
  const receiver = useReceiver(port);
  const peer = usePeer();
  const site = useSite({
    isSeeded: false,
    preload: join(import.meta.dirname, "../fixtures/other-runner.mjs"),
    env: {
      get EMDASH_TEST_RUNNER() {
        return pathToFileURL(peer.entry).href;
      },
      // Where it leaves its socket and its plugins' files behind.
      get TMPDIR() {
        return peer.folder;
      },
      EMDASH_SANDBOX_PRIVATE_HOSTS: `${RECEIVER}:${port}`,
    },
    logFile: "test-artifacts/peer/site.log",
  });
  const browser = useBrowser("peer");
  const admin = () => new Admin(browser.page, site.url);

  it("is set up, and its audit plugin lists a post, as with ours", async () => {
    await admin().setUp("A site with plugins", { name: "Ada", email: "ada@example.com" });
    await admin().signIn();
    await admin().setWebhook(receiver.address);
    const id = await admin().publish("First post", "Written in a browser.");
    await browser.shoot("published");
    await admin().open("plugins/audit-log/history");
    await browser.page.getByRole("row").filter({ hasText: id }).first().waitFor();
    await browser.shoot("audit-history");
  });

  it("does not deliver the webhook, because it takes today's capability names for none", async () => {
    await until(
      () => site.log().includes("Missing capability: network:fetch"),
      "the plugin's fetch was refused",
    );
    expect(receiver.deliveries).toEqual([]);
  });

  it("is asked in vain once one plugin spins for ever, because all share its process", async () => {
    await admin().open("plugins/hostile/hostile");
    await browser.page.getByRole("button", { name: "Arm", exact: true }).click();
    await browser.page.getByText("Armed: the next save spins for ever.").waitFor();
    await admin().publish("Second post", "Written under attack.");
    await until(() => site.log().includes("spinning for ever"), "the plugin spins");

    const audit = browser.page.request.post(`${site.url}/_emdash/api/plugins/audit-log/recent`, {
      headers: { "x-emdash-request": "1", origin: site.url },
      data: {},
      timeout: PATIENCE_MS,
    });
    const asked = audit.then(
      (response) => response.ok(),
      () => false,
    );
    const pages = await visit(site.url, 60, AbortSignal.timeout(PATIENCE_MS));
    const isAnswered = await asked;
    console.log(
      `peer: ${pages} of 60 pages in ${PATIENCE_MS / 1000} s after one plugin spins for ever; audit plugin answers: ${isAnswered}`,
    );
    expect({ pages: pages < 60, isAnswered }).toEqual({ pages: true, isAnswered: false });
    await admin().open("plugins/audit-log/history");
    await browser.shoot("audit-history-after-attack");
  });
});

/** Unpacked for the suite. */
function usePeer() {
  const peer = { folder: "", entry: "" };
  beforeAll(async () => {
    Object.assign(peer, await unpackOnFreePorts());
  });
  afterAll(() => rm(peer.folder, { recursive: true }));
  return peer;
}

/** Its first port is fixed, and two of these tests may run on one machine. */
async function unpackOnFreePorts() {
  const unpacked = await unpackPeer();
  const dist = dirname(dirname(unpacked.entry));
  const first = "nextPluginPort = 18788";
  let replaced = 0;
  for (const name of await readdir(dist)) {
    if (!name.endsWith(".mjs")) continue;
    const text = await readFile(join(dist, name), "utf8");
    if (!text.includes(first)) continue;
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    await writeFile(join(dist, name), text.replace(first, `nextPluginPort = ${base}`));
    replaced += 1;
  }
  if (replaced !== 1) throw new Error(`the peer's first port is said in ${replaced} files, not in one`);
  return unpacked;
}
