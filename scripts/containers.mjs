// `node scripts/containers.mjs [--may-skip] [--deploy]`: a plugin called, and the jail's own tests, within Podman's containers: what
// their profiles leave (fewer capabilities, a filter of system calls, a read-only root) must not cost a layer of the jail.
// With --deploy also the files of examples/deploy, of which a site is built and run: that takes minutes.
// EMDASH_TEST_DOCKER_PROFILE names Docker's default profile, to be tried as well (`.ci/run` fetches it). What can't be
// tried is a failure, unless it may be skipped.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { tryDeploy } from "./deploy.mjs";
import { ensureAll } from "./ensure.mjs";
import { launcherTests } from "./launcher-tests.mjs";
import { canRunContainers, podmanIn } from "./podman.mjs";
import { entry, run } from "./run.mjs";

/** Set to nothing is not set, as everywhere. */
const DOCKER_PROFILE = process.env.EMDASH_TEST_DOCKER_PROFILE?.trim() || undefined;

/** Docker drops the same capabilities for its root as Podman or fewer; what it has of its own is the filter. */
const DOCKER = DOCKER_PROFILE === undefined ? [] : [`--security-opt=seccomp=${resolve(DOCKER_PROFILE)}`];

/** How a site is run, and as whom. */
const CONTAINERS = {
  "Podman's defaults": [],
  ...(DOCKER.length > 0 ? { "Docker's default profile": DOCKER } : {}),
  "as nobody": ["--user=65534:65534"],
  "hardened: no capability, nothing to gain, nothing to write": [
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--read-only",
    "--read-only-tmpfs=false",
  ],
};

/** This machine's own files are the image, unchanged: what is written goes with the container. */
const THIS_MACHINE = ["run", "--rm", "--network=none", "--ulimit=host", `--workdir=${resolve(".")}`];

/** What a site does within: a plugin answers, and no layer is missing. */
const SITE = `
  import { createSandboxRunner } from ${JSON.stringify(resolve("dist/sandbox.js"))};
  const runner = createSandboxRunner({ db: {} });
  const plugin = await runner.load(
    { id: "contained", version: "1.0.0", capabilities: [] },
    "export default { hooks: { ask: (event) => event + 1 } };",
  );
  const answer = await plugin.invokeHook("ask", 41);
  const { layers } = runner.status().jail;
  await runner.terminateAll();
  const missing = layers.filter(({ enforced }) => !enforced);
  console.log(\`answer \${answer}, \${layers.length - missing.length} of \${layers.length} layers\`);
  for (const { name, reason } of missing) console.error(\`\${name}: \${reason}\`);
  process.exit(answer === 42 && layers.length > 0 && missing.length === 0 ? 0 : 1);
`;

await entry(async () => {
  await ensureAll();
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-containers-"));
  try {
    const podman = podmanIn(folder);
    if (!(await canRunContainers(podman))) {
      return untried("no container can be started on this machine: install podman and runc");
    }
    const inContainer = (/** @type {string[]} */ options, /** @type {string[]} */ ...command) =>
      podman(...THIS_MACHINE, ...options, "--rootfs", "/:O", ...command);
    const { tests } = await launcherTests();
    const failed = [];
    for (const [name, options] of Object.entries(CONTAINERS)) {
      console.log(`\n${name}`);
      const site = await run(
        "podman",
        inContainer(options, process.execPath, "--input-type=module", "-e", SITE),
      );
      if (site.code !== 0) failed.push(`a plugin, ${name}`);
    }
    for (const [name, options] of Object.entries({ Podman: [], Docker: DOCKER })) {
      if (name === "Docker" && DOCKER.length === 0) continue;
      console.log(`\nthe jail's own tests, ${name}'s default profile`);
      const { code } = await run("podman", inContainer(options, tests, "--quiet"));
      if (code !== 0) failed.push(`the jail's own tests, ${name}'s default profile`);
    }
    if (process.argv.includes("--deploy")) failed.push(...(await tryDeploy(folder, podman)));
    for (const what of failed) console.error(`failed: ${what}`);
    if (failed.length > 0) return 1;
    return DOCKER.length > 0 ? 0 : untried("Docker's default profile: EMDASH_TEST_DOCKER_PROFILE names none");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** @param {string} what */
function untried(what) {
  console.error(`not tried: ${what}`);
  return process.argv.includes("--may-skip") ? 0 : 1;
}
