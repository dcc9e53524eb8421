/** A Chromium of the system's, with a passkey authenticator of its own, and the folder for its pictures. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";
import { findChromium, NO_CHROMIUM } from "../../../scripts/chromium.mjs";
import { siteReason } from "./site.js";

const program = findChromium();

const isRequired = process.env.EMDASH_TEST_BROWSER === "require";

/** A suite that says in its name why it is left out. Where a browser is required it runs, and fails, without one. */
export function describeInBrowser(name: string, suite: () => void): void {
  const reason = siteReason ?? (program === undefined && !isRequired ? NO_CHROMIUM : null);
  describe.skipIf(reason !== null)(reason === null ? name : `${name} (left out: ${reason})`, suite);
}

/** It speaks to nobody but the site. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export type Browsing = {
  page: Page;
  /** Puts a picture of the page into `test-artifacts/`, numbered in the order of their taking. */
  shoot(title: string): Promise<void>;
};

/** @param name of the folder for the pictures */
export function useBrowser(name: string): Browsing {
  const folder = join("test-artifacts", name);
  const browsing: Partial<Browsing> = {};
  let browser: Browser | undefined;
  let shots = 0;
  beforeAll(async () => {
    if (program === undefined) throw new Error(`${NO_CHROMIUM}. EMDASH_TEST_BROWSER=require`);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    browser = await chromium.launch({ executablePath: program, args: ARGUMENTS });
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    await addPasskeyAuthenticator(page);
    browsing.page = page;
    browsing.shoot = async (title) => {
      shots += 1;
      await page.screenshot({ path: join(folder, `${String(shots).padStart(2, "0")}-${title}.png`) });
    };
  });
  afterAll(async () => {
    await browser?.close();
  });
  return browsing as Browsing;
}

/** One that agrees to all that it is asked, as a finger on a sensor would. */
async function addPasskeyAuthenticator(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}
