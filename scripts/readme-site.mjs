// A site made from what its owner has: an empty folder, a release, and the README, word for word.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { cloneInto, fillOtherPlatforms } from "./clone.mjs";
import { fillPlatformPackage, INSTALL, platformFiles, platformFolder } from "./ensure.mjs";
import { run } from "./run.mjs";
import { SITE, siteNode } from "./site.mjs";

/** What the example site would be without this package. */
const SOURCES = [
  ...["package.json", "package-lock.json", "astro.config.mjs", "tsconfig.json", "src", "plugins", "seed.mjs"],
];

/**
 * Publishes this checkout as CONTRIBUTING.md says it is done by hand. Other platforms' packages hold stand-ins.
 *
 * @param {string} folder a new one, for a clone
 * @param {import("./registry.mjs").Registry} registry
 */
export async function publishRelease(folder, registry) {
  await cloneInto(folder);
  fillPlatformPackage();
  for (const file of platformFiles()) {
    const path = join(platformFolder(), file);
    cpSync(path, join(folder, path));
  }
  fillOtherPlatforms(folder);
  const npmrc = `${folder}.npmrc`;
  writeFileSync(npmrc, registry.login);
  const env = { ...registry.env, NPM_CONFIG_USERCONFIG: npmrc };
  await shell("npm run pack -- --every-platform", folder, env);
  await shell("npm publish", folder, env);
  const changed = await shell("git status --porcelain", folder);
  await shell("git checkout package.json", folder);
  return { changed: changed.trim().split("\n"), left: await shell("git status --porcelain", folder) };
}

/**
 * A site on the runner that ours replaces becomes one on ours, by the README's command and its change of the
 * configuration. It is not built.
 *
 * @param {string} folder a new one
 * @param {import("./registry.mjs").Registry} registry
 * @param {(config: string) => string} [configured] what else its owner has configured
 */
export async function switchedSite(folder, registry, configured = (config) => config) {
  const readme = readFileSync("README.md", "utf8");
  const change = readChange(readme);
  for (const name of SOURCES) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(SITE, name), join(folder, name), { recursive: true });
  }
  const config = join(folder, "astro.config.mjs");
  writeFileSync(config, configured(onPeer(readFileSync(config, "utf8"), change.before)));
  await shell(
    ["npm", ...INSTALL.filter((option) => option !== "--no-save"), "--prefer-offline"].join(" "),
    folder,
  );

  for (const line of fenced(readme, "sh", "## Switching")) {
    // The one thing that is added, for certain: a package manager that blocks install scripts must do.
    await shell(line, folder, {
      ...registry.env,
      npm_config_ignore_scripts: "true",
      npm_config_audit: "false",
    });
  }
  const text = readFileSync(config, "utf8");
  if (!text.includes(change.before)) throw new Error("the README's change does not fit the site");
  writeFileSync(config, text.replace(change.before, change.after));
}

/**
 * The example's configuration as it was before: with the lines that the README begins from.
 *
 * @param {string} config
 * @param {string} before
 */
function onPeer(config, before) {
  const own = /^ *(sandboxRunner|sandboxed): .*\n/gm;
  if (config.match(own)?.length !== 2) throw new Error("the example site's configuration has another form");
  const [opening = ""] = before.split("\n", 1);
  if (!config.includes(opening)) throw new Error(`the example site has no ${opening}`);
  return config.replace(own, "").replace(opening, before);
}

/**
 * The two sides of the README's change.
 *
 * @param {string} readme
 */
function readChange(readme) {
  // The last line closes the call, and the site's other options come before that.
  const lines = fenced(readme, "diff", "## Switching").slice(0, -1);
  const side = (/** @type {string} */ sign) =>
    lines
      .filter((line) => line.startsWith(" ") || line.startsWith(sign))
      .map((line) => line.slice(1))
      .join("\n");
  return { before: side("-"), after: side("+") };
}

/**
 * The lines of the first block of this language below the heading.
 *
 * @param {string} text
 * @param {string} language
 * @param {string} heading
 */
function fenced(text, language, heading) {
  const below = text.split(`\n${heading}\n`)[1] ?? "";
  const block = below.split(`\n\`\`\`${language}\n`)[1]?.split("\n```")[0];
  if (block === undefined) throw new Error(`the README has no ${language} below ${heading}`);
  return block.split("\n");
}

/**
 * A command line as a person types it, with the site's Node first in the path where the site has one.
 *
 * @param {string} command
 * @param {string} folder
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function shell(command, folder, env = {}) {
  const PATH = `${dirname(siteNode(folder))}:${process.env.PATH}`;
  const { code, text } = await run("sh", ["-c", command], "capture", folder, { PATH, ...env });
  if (code !== 0) throw new Error(`${command} ended with code ${code}:\n${text}`);
  return text;
}
