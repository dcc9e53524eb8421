// The files of examples/deploy, for real: the Dockerfile is built by Podman, of a site that the README's lines have
// switched, and what compose.yaml says of its service is how it is run. The image that it begins with is made here, of
// Debian's packages, so that no registry of images is asked; this package comes from a registry of this machine's.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parse } from "yaml";
import { npmCommand } from "./ensure.mjs";
import { publishRelease, shell, switchedSite } from "./readme-site.mjs";
import { startRegistry } from "./registry.mjs";
import { must, run } from "./run.mjs";
import { ensureSite, SITE, siteNode } from "./site.mjs";

const DEPLOY = "examples/deploy";
const IMAGE = "localhost/emdash-site";

/** Long enough for a busy machine to load EmDash; it is over as soon as the site answers. */
const START_SECONDS = 60;

/**
 * @param {string} folder
 * @param {(...args: string[]) => string[]} podman
 * @returns {Promise<string[]>} what failed
 */
export async function tryDeploy(folder, podman) {
  const dockerfile = readFileSync(`${DEPLOY}/Dockerfile`, "utf8");
  const { service, options } = serviceOf(readFileSync(`${DEPLOY}/compose.yaml`, "utf8"));
  await ensureSite();
  const registry = await startRegistry();
  try {
    await makeBase(folder, podman, firstImage(dockerfile), registry.url);
    await publishRelease(join(folder, "release"), registry);
    const site = join(folder, "site");
    mkdirSync(site);
    await switchedSite(site, registry, inDataFolder);
    for (const name of ["Dockerfile", "compose.yaml"]) cpSync(join(DEPLOY, name), join(site, name));
    writeFileSync(join(site, ".dockerignore"), readFileSync(`${DEPLOY}/.dockerignore`));
    console.log("\nthe Dockerfile is built");
    // Layers are whole copies on this storage, and nobody builds it twice.
    const build = ["build", "--pull=never", "--layers=false", "--network=host", "--isolation=chroot"];
    await must("podman", podman(...build, `--tag=${IMAGE}`, resolve(site, service.build)));
  } finally {
    await registry.close();
  }
  return runSite(folder, podman, options);
}

/**
 * As a site's owner would have it, so that all that is written lies in the one folder that can be written to.
 *
 * @param {string} config
 */
function inDataFolder(config) {
  const moved = config
    .replace("file:./site.db", "file:./data/site.db")
    .replace("./uploads", "./data/uploads");
  if (moved === config) throw new Error("the example site's configuration has another form");
  return moved;
}

/** @param {string} dockerfile */
function firstImage(dockerfile) {
  const images = new Set([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image = ""]) => image));
  const [image = "", ...others] = images;
  if (others.length > 0) throw new Error(`the Dockerfile begins with more than one image: ${[...images]}`);
  return image;
}

/**
 * What stands for `node:22-bookworm-slim`: that Debian, the site's Node 22, npm, the user `node`, and of this machine how
 * npm gets to packages.
 *
 * @param {string} folder
 * @param {(...args: string[]) => string[]} podman
 * @param {string} image
 * @param {string} registry
 */
async function makeBase(folder, podman, image, registry) {
  const [, suite = ""] = /^node:\d+-(\w+)-slim$/.exec(image) ?? [];
  const root = join(folder, "base");
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const keyring = existsSync(keys) ? [`--keyring=${keys}`] : [];
  console.log(`\n${image} is made`);
  await must("debootstrap", ["--variant=minbase", ...keyring, suite, root], "capture");
  cpSync(siteNode(), join(root, "usr/local/bin/node"));
  const npm = "usr/local/lib/node_modules/npm";
  cpSync(await npmFolder(), join(root, npm), { recursive: true, dereference: true });
  for (const name of ["npm", "npx"])
    symlinkSync(`/${npm}/bin/${name}-cli.js`, join(root, "usr/local/bin", name));
  await must("chroot", [root, "useradd", "--uid=1000", "--create-home", "node"]);
  const settings = [`registry=${registry}`];
  const certificates = process.env.NODE_EXTRA_CA_CERTS ?? "/etc/ssl/certs/ca-certificates.crt";
  mkdirSync(join(root, "usr/local/etc"), { recursive: true });
  if (existsSync(certificates)) {
    cpSync(certificates, join(root, "usr/local/etc/machine.crt"), { dereference: true });
    settings.push("cafile=/usr/local/etc/machine.crt");
  }
  writeFileSync(join(root, "usr/local/etc/npmrc"), settings.map((line) => `${line}\n`).join(""));
  await must("tar", ["-C", root, "-cf", join(folder, "base.tar"), "."]);
  rmSync(root, { recursive: true });
  await must(
    "podman",
    podman("import", "--quiet", join(folder, "base.tar"), `localhost/${image}`),
    "capture",
  );
  rmSync(join(folder, "base.tar"));
}

async function npmFolder() {
  const [program, cli] = npmCommand();
  if (cli) return resolve(cli, "../..");
  const { text } = await run(program, ["root", "--global"], "capture");
  return join(text.trim(), "npm");
}

/**
 * What Podman is to be told for what compose.yaml says. A key that is not known here is not passed over.
 *
 * @param {string} text
 * @returns {{ service: Record<string, any>, options: string[] }}
 */
export function serviceOf(text) {
  const { services, volumes, ...others } = parse(text);
  /** @type {Record<string, any>[]} */
  const [service, ...more] = Object.values(services);
  if (service === undefined || more.length > 0 || Object.keys(others).length > 0)
    throw new Error("compose.yaml has more than a service");
  const list = (/** @type {string} */ option) => (/** @type {string[]} */ all) =>
    all.map((each) => `--${option}=${each}`);
  /** @type {Record<string, (value: any) => string[]>} */
  const known = {
    build: () => [],
    // No port is opened on the machine that tests this: the site is asked from within.
    ports: () => [],
    user: (user) => [`--user=${user}`],
    read_only: (is) => [`--read-only=${is}`, "--read-only-tmpfs=false"],
    cap_drop: list("cap-drop"),
    security_opt: (all) =>
      all.map((/** @type {string} */ each) => `--security-opt=${each.replace(/:true$/, "")}`),
    mem_limit: (limit) => [`--memory=${limit}`],
    pids_limit: (limit) => [`--pids-limit=${limit}`],
    init: (is) => [`--init=${is}`],
    environment: (all) => Object.entries(all).map(([name, value]) => `--env=${name}=${value}`),
    tmpfs: list("tmpfs"),
    volumes: (all) =>
      all.map((/** @type {string} */ each) => {
        if (!Object.hasOwn(volumes, each.split(":")[0] ?? ""))
          throw new Error(`compose.yaml declares no ${each}`);
        return `--volume=${each}`;
      }),
    restart: () => [],
  };
  const options = Object.entries(service).flatMap(([key, value]) => {
    if (!Object.hasOwn(known, key)) throw new Error(`compose.yaml says ${key}, which nothing here tries`);
    return known[key]?.(value) ?? [];
  });
  return { service, options };
}

/**
 * @param {string} folder
 * @param {(...args: string[]) => string[]} podman
 * @param {string[]} options
 */
async function runSite(folder, podman, options) {
  const name = "site";
  const within = (/** @type {string[]} */ ...args) => run("podman", podman("exec", ...args), "capture");
  console.log("\nthe site runs as compose.yaml says");
  await must(
    "podman",
    podman("run", "--detach", `--name=${name}`, "--network=none", "--ulimit=host", ...options, IMAGE),
    "capture",
  );
  const failed = [];
  try {
    const seeded = await shell(
      `podman ${podman("exec", "--interactive", "--workdir=/site/data", name)
        .map((arg) => `'${arg}'`)
        .join(" ")} node --input-type=module - http://localhost:4321 < ${resolve(SITE, "seed.mjs")}`,
      folder,
    );
    const lived = await within(
      name,
      "node",
      "--input-type=module",
      "-e",
      LIVE,
      seeded.trim(),
      `${START_SECONDS}`,
    );
    console.log(lived.text.trimEnd());
    if (lived.code !== 0) failed.push("the site in a container, with a post that its audit log records");
    const { text: log } = await run("podman", podman("logs", name), "capture");
    if (/jail around plugins lacks|can't start|stopped:/i.test(log))
      failed.push("plugins in the container's site");
    const doctor = await within("--workdir=/site", name, "npx", "emdash-sandbox-native", "doctor");
    console.log(doctor.text.trimEnd());
    if (doctor.code !== 0) failed.push("doctor in the site's container");
    const stop = await run("podman", podman("stop", "--time=10", name), "capture");
    const { text: code } = await run(
      "podman",
      podman("inspect", "--format={{.State.ExitCode}}", name),
      "capture",
    );
    // 137 would be a site that had to be killed.
    if (stop.code !== 0 || code.trim() === "137")
      failed.push(`the end of the site's container: ${code.trim()}`);
    if (failed.length > 0) console.error(log);
  } finally {
    await run("podman", podman("rm", "--force", "--volumes", name), "capture");
  }
  return failed;
}

/** Within the container: signs in by the link, saves a post, and asks the audit plugin until it has it. */
const LIVE = `
  const [link, seconds] = process.argv.slice(1);
  const { origin } = new URL(link);
  const end = Date.now() + seconds * 1000;
  const until = async (what, ask) => {
    for (;;) {
      const answer = await ask().catch(() => undefined);
      if (answer) return answer;
      if (Date.now() > end) throw new Error(what + " within " + seconds + " s");
      await new Promise((next) => setTimeout(next, 100));
    }
  };
  const signedIn = await until("it does not listen", () => fetch(link, { redirect: "manual" }));
  const cookie = signedIn.headers.getSetCookie().map((each) => each.split(";")[0]).join("; ");
  const headers = { cookie, origin, "content-type": "application/json", "x-emdash-request": "1" };
  const ask = async (path, body) => {
    const answer = await fetch(origin + "/_emdash/api/" + path, { method: "POST", headers, body: JSON.stringify(body) });
    return (await answer.json()).data;
  };
  const saved = await ask("content/posts", { data: { title: "Contained" }, slug: "contained" });
  if (!saved) throw new Error("a post can't be saved");
  const isRecorded = async () => (await ask("plugins/audit-log/recent", {})).entries.length > 0;
  await until("the audit log records nothing", isRecorded);
  console.log("the audit log has recorded a post");
`;
