// The second disk: a tar archive, of Node, a site with the packages as they are published, the repository for its tests,
// and what is done with them.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { launcherTests } from "../launcher-tests.mjs";
import { must } from "../run.mjs";

/** Where the unit of docs/operations.md expects a site. */
const SITE = "srv/site";

/** What a site has besides our package, for a plugin to run. */
const PACKAGES = ["kysely", "workerd"];

/** What no test within needs of the repository. */
const LEFT_OUT = [".git", ".cache", "target", "packed", "test-artifacts", "examples", "bench", ".ci"];

/**
 * @param {string} folder
 * @param {string} only of the checks those whose names match it
 * @returns {Promise<string>} the disk
 */
export async function load(folder, only) {
  const content = join(folder, "content");
  const within = join(content, "machine");
  cpSync("scripts/machine/within", within, { recursive: true });
  writeFileSync(join(within, "only"), only);
  const { site, unit } = documented();
  cpSync(unit, join(within, "site.service"));
  mkdirSync(join(content, "usr/bin"), { recursive: true });
  cpSync(process.execPath, join(content, "usr/bin/node"), { dereference: true });
  await makeSite(join(content, site), folder);
  const { tests, launcher, probe } = await launcherTests();
  cpSync(tests, join(within, "jail-tests"));
  cpSync(probe, join(within, "probe"));

  const drive = join(folder, "drive.tar");
  const tree = readdirSync(".").filter((name) => !LEFT_OUT.includes(name));
  await must("tar", [
    ...["--create", `--file=${drive}`, "--owner=0", "--group=0"],
    ...["--exclude=./node_modules/.cache", "--exclude=./node_modules/.vite"],
    ...["-C", content, ...readdirSync(content)],
    // The tests have these paths compiled in.
    ...["-C", "/", launcher.slice(1), probe.slice(1)],
    ...[
      "-C",
      resolve("."),
      "--transform=flags=rH;s,^\\./,srv/repository/,",
      ...tree.map((name) => `./${name}`),
    ],
  ]);
  rmSync(content, { recursive: true });
  return drive;
}

/** What docs/operations.md tells to run a site by. */
function documented() {
  const [, link] =
    /^\[`examples\/deploy\/emdash\.service`\]\((\S+)\)/m.exec(readFileSync("docs/operations.md", "utf8")) ??
    [];
  if (link === undefined) throw new Error("docs/operations.md names no unit");
  const unit = join("docs", link);
  const [, site] = /^WorkingDirectory=\/(\S+)$/m.exec(readFileSync(unit, "utf8")) ?? [];
  if (site !== SITE) throw new Error(`${unit} has another folder than /${SITE}`);
  return { site, unit };
}

/**
 * The two tarballs, and what they need of the packages that are installed here.
 *
 * @param {string} site
 * @param {string} folder
 */
async function makeSite(site, folder) {
  const packed = join(folder, "packed");
  await must(process.execPath, ["scripts/pack.mjs", "--to", packed]);
  const needed = new Set(PACKAGES);
  for (const tarball of readdirSync(packed)) {
    const name = tarball.replace(/-\d+\.\d+\.\d+.*$/, "");
    const to = join(site, "node_modules", name);
    mkdirSync(to, { recursive: true });
    await must("tar", ["-xf", join(packed, tarball), "-C", to, "--strip-components=1"]);
    for (const dependency of dependenciesOf(to)) needed.add(dependency);
  }
  // A set also yields what is added while it is walked.
  for (const name of needed) {
    const from = join("node_modules", name);
    const to = join(site, from);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
    for (const dependency of dependenciesOf(to)) needed.add(dependency);
  }
  mkdirSync(join(site, "dist/server"), { recursive: true });
  mkdirSync(join(site, "data"), { recursive: true });
  cpSync("scripts/machine/within/site.mjs", join(site, "dist/server/entry.mjs"));
  rmSync(packed, { recursive: true });
}

/** @param {string} folder */
function dependenciesOf(folder) {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  );
  const ofThisPlatform = Object.keys(optionalDependencies).filter((name) =>
    readdirSync("node_modules/@cloudflare").some((each) => name === `@cloudflare/${each}`),
  );
  return [...Object.keys(dependencies), ...ofThisPlatform];
}
