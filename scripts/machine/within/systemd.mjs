// The unit of docs/operations.md as systemd has it here: with what is added to it, what it does, and what it leaves.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";

const NAME = "emdash.service";
const UNIT = `/etc/systemd/system/${NAME}`;
const TREE = "/sys/fs/cgroup";
const OUTPUT = "/run/site-output";

/** What is said there is shown at once, as what /machine/run says. */
export const SHOWN = "/dev/ttyS1";

export const DOCUMENTED = readFileSync("/machine/site.service", "utf8");

/** Of the unit, on or off. */
export const CGROUP = `${TREE}/system.slice/${NAME}`;

/**
 * Puts the unit in its place, changed by nothing but these lines after it.
 *
 * @param {string} unit
 * @param {string[]} lines of `[Service]`
 */
export function install(unit, lines = []) {
  writeFileSync(UNIT, unit);
  rmSync(`${UNIT}.d`, { recursive: true, force: true });
  mkdirSync(`${UNIT}.d`);
  // Started again as often as a test likes.
  writeFileSync(`${UNIT}.d/test.conf`, `[Unit]\nStartLimitIntervalSec=0\n[Service]\n${lines.join("\n")}\n`);
  systemctl("daemon-reload");
}

/** @param {string[]} args */
export function systemctl(...args) {
  return execFileSync("systemctl", args, { encoding: "utf8" }).trim();
}

/** @param {string} property */
export function show(property) {
  return systemctl("show", "--value", `--property=${property}`, NAME);
}

/** Starts it, and waits until the site answers. */
export async function start() {
  systemctl("start", NAME);
  return until(status, "the site answers");
}

export async function restart() {
  systemctl("restart", NAME);
  return until(status, "the site answers again");
}

export function stop() {
  systemctl("stop", NAME);
}

/** Whatever has become of it, or has not. */
export function end() {
  spawnSync("systemctl", ["stop", NAME], { stdio: "ignore" });
}

/** @returns {Promise<import("../../../host/status.js").RunnerStatus>} */
export async function status() {
  return get("/status");
}

/**
 * What a route of a plugin came to: `/<plugin>/<route>?<input>`.
 *
 * @param {string} path
 * @returns {Promise<{ answer?: unknown, error?: string }>}
 */
export async function ask(path) {
  return get(path);
}

/** The jail's layers that do not hold. */
export async function missing() {
  const { jail } = await status();
  return jail?.layers.flatMap(({ name, enforced }) => (enforced ? [] : [name]));
}

/** The numbers of the plugins' processes, in the order in which the plugins were loaded. */
export async function processes() {
  const { plugins } = await status();
  return plugins.map(({ processId }) => processId ?? 0);
}

/** @param {string} path */
async function get(path) {
  return (await fetch(`http://127.0.0.1:4321${path}`)).json();
}

/**
 * A command to its end, as the unit and in its place. What it says is the answer's, or shown as it goes.
 *
 * @param {string} unit
 * @param {string[]} lines
 * @param {string} command
 * @param {string} folder
 * @param {"capture" | "show"} output
 */
export function runAs(unit, lines, command, folder, output) {
  const to = output === "show" ? "journal" : `truncate:${OUTPUT}`;
  install(unit, [
    ...lines,
    ...["Type=oneshot", "Restart=no", "TimeoutStartSec=infinity", `WorkingDirectory=${folder}`],
    ...["ExecStart=", `ExecStart=${command}`, `StandardOutput=${to}`, "StandardError=inherit"],
  ]);
  const shown = openSync(SHOWN, "w");
  const follow = ["--follow", "--lines=0", "--output=cat", "--unit", NAME];
  const follower = output === "show" && spawn("journalctl", follow, { stdio: ["ignore", shown, shown] });
  const { status } = spawnSync("systemctl", ["start", NAME], { stdio: "ignore" });
  if (follower) follower.kill();
  closeSync(shown);
  // What has not failed is not to be forgiven.
  spawnSync("systemctl", ["reset-failed", NAME], { stdio: "ignore" });
  return { code: status, out: output === "show" ? "" : readFileSync(OUTPUT, "utf8") };
}

/** The names of the cgroups below the unit's, each with its files as a function. */
export function cgroups() {
  if (!existsSync(CGROUP)) return [];
  return readdirSync(CGROUP, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      name,
      path: `${CGROUP}/${name}`,
      /** @param {string} file */
      read: (file) => readFileSync(`${CGROUP}/${name}/${file}`, "utf8").trim(),
    }));
}

/** The cgroups of plugins' processes, not of Node. */
export function plugins() {
  return cgroups().filter(({ name }) => name.startsWith("emdash-sandbox-"));
}

/** @param {number} pid */
export function cgroupOf(pid) {
  const [, path] = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8")) ?? [];
  return `${TREE}${path}`;
}

/** Every workerd, and every launcher that has not become one. */
export function workerds() {
  const { stdout } = spawnSync("pgrep", ["-f", "workerd|emdash-sandbox-launcher"], { encoding: "utf8" });
  return stdout.split("\n").filter(Boolean);
}

/**
 * Asks again and again; what fails does not hold yet.
 *
 * @template T
 * @param {() => Promise<T> | T} holds
 * @param {string} what
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(holds, what) {
  const end = Date.now() + 120_000;
  for (;;) {
    const value = await (async () => holds())().catch(() => null);
    if (value) return value;
    if (Date.now() > end) throw new Error(`not in two minutes: ${what}\n${journal()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What systemd and the site said last, and whom the kernel ended for a forbidden call. */
function journal() {
  const last = ["--lines=20", "--no-pager", "--output=cat"];
  const said = execFileSync("journalctl", ["--unit", NAME, ...last], { encoding: "utf8" });
  const kernel = spawnSync("journalctl", ["--grep=SECCOMP|type=1326", ...last], { encoding: "utf8" });
  return `${said}${kernel.stdout}`;
}
