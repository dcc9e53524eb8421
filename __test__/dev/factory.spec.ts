/** Which runner a site gets, and which miniflare. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SandboxOptions } from "emdash";
import { afterEach, describe, expect, it, vi } from "vitest";
import { findMiniflare, MINIFLARE_FLOOR } from "../../host/dev/miniflare.js";
import { createSandboxRunner, MiniflareDevRunner, WorkerdSandboxRunner } from "../../host/sandbox.js";
import { useConsole } from "../support/console.js";

const printed = useConsole();
const folders: string[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A site that has this miniflare installed, or none. */
async function siteWith(manifest?: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-site-"));
  folders.push(folder);
  await writeFile(join(folder, "package.json"), "{}");
  if (manifest) {
    const installed = join(folder, "node_modules/miniflare");
    await mkdir(join(installed, "dist/src"), { recursive: true });
    await writeFile(join(installed, "package.json"), JSON.stringify({ name: "miniflare", ...manifest }));
    await writeFile(join(installed, "dist/src/index.js"), "");
  }
  return folder;
}

const installed = (version: string, node = ">=18.0.0") => ({
  version,
  main: "./dist/src/index.js",
  engines: { node },
});

function runnerIn(environment: Record<string, string>) {
  vi.stubEnv("NODE_ENV", "production");
  vi.stubEnv("EMDASH_SANDBOX_DEV", "");
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  return createSandboxRunner({ db: {} as SandboxOptions["db"] });
}

describe("createSandboxRunner", () => {
  it.each([
    ["NODE_ENV", "development"],
    ["EMDASH_SANDBOX_DEV", "1"],
  ])("gives the development runner with %s=%s, as EmDash documents", (name, value) => {
    expect(runnerIn({ [name]: value })).toBeInstanceOf(MiniflareDevRunner);
  });

  it.each([
    ["NODE_ENV", "production"],
    ["NODE_ENV", "test"],
    ["EMDASH_SANDBOX_DEV", "0"],
    ["EMDASH_SANDBOX_DEV", "true"],
  ])("gives processes with %s=%s, because a site must not become weaker unasked", (name, value) => {
    const runner = runnerIn({ [name]: value });
    expect(runner).toBeInstanceOf(WorkerdSandboxRunner);
    expect(runner).not.toBeInstanceOf(MiniflareDevRunner);
  });

  it("gives processes where miniflare can't be used, and says why, because they are the stronger ones", async () => {
    const site = await siteWith(installed("4.20260101.0"));
    vi.spyOn(process, "cwd").mockReturnValue(site);
    expect(runnerIn({ NODE_ENV: "development" })).not.toBeInstanceOf(MiniflareDevRunner);
    expect(printed.map(({ line }) => line)).toEqual([
      expect.stringMatching(
        /Plugins run as in production: miniflare 4\.20260101\.0 is too old, .* npm install/,
      ),
    ]);
  });
});

describe("findMiniflare", () => {
  async function found(manifest?: object, node = "20.19.0") {
    return findMiniflare([join(await siteWith(manifest), "package.json")], { node });
  }

  it("finds the site's own", async () => {
    expect(await found(installed(MINIFLARE_FLOOR))).toMatchObject({ ok: true });
    expect(await found(installed("5.1.0", ">=22.0.0"), "22.1.0")).toMatchObject({ ok: true });
  });

  it("says that there is none, and what to do", async () => {
    expect(await found()).toEqual({
      ok: false,
      isInstalled: false,
      reason: expect.stringContaining("npm install -D miniflare"),
    });
  });

  it("refuses one that this Node can't run, with the one that it can", async () => {
    expect(await found(installed("4.20260730.0", ">=22.0.0"))).toEqual({
      ok: false,
      isInstalled: true,
      reason: expect.stringMatching(
        /needs Node 22\.0\.0 or newer, and this is 20\.19\.0\. .*miniflare@4\.20260426\.0/,
      ),
    });
  });

  it("refuses one whose manifest can't be read, because nobody knows what it is", async () => {
    expect(await found({ main: "./dist/src/index.js" })).toMatchObject({ ok: false, isInstalled: true });
  });
});

it("a runner without miniflare is not available and says why", async () => {
  vi.spyOn(process, "cwd").mockReturnValue(await siteWith(installed("1.0.0")));
  const runner = new MiniflareDevRunner({ db: {} as SandboxOptions["db"] });
  expect(runner.isAvailable()).toBe(false);
  expect(runner.unavailableReason()).toContain("miniflare 1.0.0 is too old");
});

it("an option that is no limit is refused as in production", () => {
  const options = { db: {} as SandboxOptions["db"], limits: { wallTimeMs: -1 } };
  expect(() => new MiniflareDevRunner(options)).toThrow(RangeError);
});
