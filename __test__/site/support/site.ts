/** The example site, built and started for a test in a folder of its own, and a way to ask it as its administrator. */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { SITE, siteObjection } from "../../../scripts/site.mjs";
import {
  freePort,
  type SiteOptions,
  type SiteServer,
  seedSite,
  startSite,
} from "../../../scripts/site-server.mjs";

/** Empty until the suite's first test. */
export type Site = SiteServer & {
  folder: string;
  /** Only of a site that is seeded. */
  ask: Ask;
};

type Options = Omit<SiteOptions, "folder" | "port"> & { isSeeded?: boolean; logFile?: string };

/** Why no test of this folder can run here; null when they can. */
export const siteReason: string | null = siteObjection() ?? null;

/** Started before a suite's tests; ended, and its data removed, behind them. `ask` is its administrator's session. */
export function useSite({ isSeeded = true, logFile, ...options }: Options = {}): Site {
  const site: Partial<Site> = {};
  beforeAll(async () => {
    const entry = `${SITE}/dist/server/entry.mjs`;
    if (!existsSync(entry)) throw new Error("the example site is not built: npm test builds it");
    site.folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-site-"));
    const port = await freePort();
    const link = isSeeded ? await seedSite(site.folder, `http://localhost:${port}`) : null;
    Object.assign(site, await startSite({ ...options, folder: site.folder, port }));
    if (link !== null) site.ask = await signIn(link);
  });
  afterAll(async () => {
    await site.stop?.("SIGKILL");
    if (logFile !== undefined && site.log !== undefined) await writeFile(logFile, site.log());
    if (site.folder !== undefined) await rm(site.folder, { recursive: true });
  });
  return site as Site;
}

export interface Answer {
  status: number;
  body: { success?: boolean; data?: unknown; error?: { code: string; message: string } };
}

/** What asks the site's API with the administrator's session. */
export type Ask = (path: string, body?: unknown) => Promise<Answer>;

/** @param link what EmDash would mail */
export async function signIn(link: string): Promise<Ask> {
  const { origin } = new URL(link);
  const response = await fetch(link, { redirect: "manual" });
  const cookie = response.headers
    .getSetCookie()
    .map((each) => each.split(";")[0])
    .join("; ");
  const headers = { cookie, origin, "content-type": "application/json", "x-emdash-request": "1" };
  return async (path, body = {}) => {
    const answer = await fetch(`${origin}/_emdash/api/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Answer["body"] };
  };
}
