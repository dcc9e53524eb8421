// The example site, installed, with this checkout's package inside as npm would bring it, and built.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import {
  addonFile,
  ensureAll,
  fillPlatformPackage,
  INSTALL,
  npm,
  platformFiles,
  platformFolder,
  platformName,
} from "./ensure.mjs";
import { must } from "./run.mjs";
import { ensure } from "./stamp.mjs";

/** Its folder, from the repository's root. */
export const SITE = "examples/site";

/** Why this machine cannot run it; undefined when it can. */
export function siteObjection() {
  if (!existsSync(platformFolder())) return `there is no package for ${platformName()}`;
  return undefined;
}

/** All that a server of it needs, in the order in which each needs the one before. */
export async function ensureSite() {
  await ensureAll();
  await ensureSiteDependencies();
  await ensureSitePackages();
  await ensureSiteBuild();
}

/** For tests, which say by their names that they are left out where there is no site. */
export async function ensureSiteWherePossible() {
  if (siteObjection() === undefined) await ensureSite();
}

async function ensureSiteDependencies() {
  await ensure({
    name: "site dependencies",
    inputs: [`${SITE}/package.json`, `${SITE}/package-lock.json`],
    outputs: [`${SITE}/node_modules/.package-lock.json`],
    // What npm has in its cache it need not ask for again: 600 questions.
    make: () => npm([...INSTALL, "--prefer-offline", "--prefix", SITE]),
  });
}

/** From tarballs: Vite bundles what is a link, and a link would show the site more than what is published. */
async function ensureSitePackages() {
  const binaries = platformFiles();
  await ensure({
    name: "site packages",
    inputs: [
      ...["package.json", "README.md", "CHANGELOG.md", "LICENSE", "index.d.ts", "dist"],
      ...[addonFile(), ...binaries.map((file) => basename(file)), `${platformFolder()}/package.json`],
      `${SITE}/package-lock.json`,
    ],
    outputs: [
      `${SITE}/node_modules/emdash-sandbox-native/package.json`,
      ...binaries.map((file) => `${SITE}/node_modules/emdash-sandbox-native-${platformName()}/${file}`),
    ],
    async make() {
      fillPlatformPackage();
      const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-pack-"));
      try {
        const packages = [".", `./${platformFolder()}`];
        await npm(["pack", "--silent", "--pack-destination", folder, ...packages], "capture");
        const { version } = JSON.parse(readFileSync("package.json", "utf8"));
        const tarballs = ["", `-${platformName()}`].map((end) =>
          join(folder, `emdash-sandbox-native${end}-${version}.tgz`),
        );
        await npm([...INSTALL, "--prefer-offline", "--prefix", SITE, ...tarballs]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  });
}

async function ensureSiteBuild() {
  await ensure({
    name: "site build",
    inputs: [
      ...["package-lock.json", "astro.config.mjs", "tsconfig.json", "src", "plugins"].map(
        (name) => `${SITE}/${name}`,
      ),
    ],
    outputs: [`${SITE}/dist/server/entry.mjs`],
    async make() {
      rmSync(`${SITE}/dist`, { recursive: true, force: true });
      console.log("building examples/site, which takes a minute");
      const { command, args } = astro("build");
      await must(command, [...args, "--silent"], "capture");
    },
  });
}

/**
 * A command of Astro's, on the site's Node.
 *
 * @param {string} name
 * @param {string} [site]
 */
export function astro(name, site = SITE) {
  const cli = resolve(site, "node_modules/astro/bin/astro.mjs");
  return { command: siteNode(site), args: [cli, name, "--root", resolve(site)] };
}

/** Astro 6 wants Node 22.12, which the site brings along; where no package has one, this one must do. */
export function siteNode(site = SITE) {
  const { platform, arch, execPath } = process;
  const brought = resolve(site, `node_modules/node-${platform}-${arch}/bin/node`);
  return existsSync(brought) ? brought : execPath;
}
