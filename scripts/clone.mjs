// This checkout in another folder, built: for commands that change what they are run on.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { addonFile, ensureAll } from "./ensure.mjs";
import { must, run } from "./run.mjs";

const BUILT = ["dist", addonFile(), "emdash-sandbox-launcher"];

/**
 * What git knows or would add, what is built, and the same packages. A repository of its own, with all of it committed.
 *
 * @param {string} folder
 */
export async function cloneInto(folder) {
  await ensureAll();
  const { text } = await run(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    "capture",
  );
  const files = text.split("\0").filter((file) => file !== "" && existsSync(file));
  for (const file of [...files, ...BUILT.filter(existsSync)]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(file, join(folder, file), { recursive: true });
  }
  linkModules(join(folder, "node_modules"));
  const git = ["-C", folder, "-c", "user.name=test", "-c", "user.email=test@example.com"];
  await must("git", [...git, "init", "--quiet"], "capture");
  await must("git", [...git, "add", "--all"], "capture");
  await must("git", [...git, "commit", "--quiet", "--no-verify", "-m", "as it is"], "capture");
}

/**
 * A folder of links, with notes of its own of what is up to date: what is built in the clone is not built here.
 *
 * @param {string} folder
 */
function linkModules(folder) {
  mkdirSync(folder);
  for (const name of readdirSync("node_modules")) {
    if (name === ".cache" || name === ".package-lock.json")
      cpSync(`node_modules/${name}`, join(folder, name), { recursive: true });
    else symlinkSync(resolve("node_modules", name), join(folder, name));
  }
}

/**
 * Puts something in the place of the binaries of platforms that this is not, as a release would have them.
 *
 * @param {string} folder a clone
 */
export function fillOtherPlatforms(folder) {
  for (const name of readdirSync(join(folder, "npm"))) {
    const { files } = JSON.parse(readFileSync(join(folder, "npm", name, "package.json"), "utf8"));
    for (const file of files) {
      const path = join(folder, "npm", name, file);
      if (!existsSync(path)) writeFileSync(path, "a stand-in", { mode: 0o755 });
    }
  }
}
