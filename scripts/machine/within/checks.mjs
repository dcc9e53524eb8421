// What has to hold on this machine, whichever it is.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { after, before, describe, it } from "node:test";
import * as site from "./systemd.mjs";

/** What Linux of these versions is without, as docs/security.md has it: no word of ours is asked. */
const [major = 0, minor = 0] = release().split(".").map(Number);
const LAYERS = { files: 2, network: 7, scope: 12 };
const MISSING = Object.entries(LAYERS).flatMap(([layer, since]) =>
  major > 6 || (major === 6 && minor >= since) ? [] : [layer],
);

/** Where `require` would run nothing, as the unit has it. */
const AUTO = MISSING.length > 0 ? ["Environment=EMDASH_SANDBOX_JAIL=auto"] : [];

/** On an emulated processor it takes seconds to fill the memory. */
const PATIENT = { EMDASH_SANDBOX_CPU_MS: "10000", EMDASH_SANDBOX_START_TIMEOUT_MS: "60000" };
const SITE = [...AUTO, ...Object.entries(PATIENT).map(([name, value]) => `Environment=${name}=${value}`)];

const PLAIN = site.DOCUMENTED.replace(/^Delegate.*\n/gm, "");

const ORDINARY = ["runuser", "-u", "emdash", "--"];

/**
 * An emulated processor is ten to thirty times slower: limits of processor time, the one of a start among them, then meet
 * what is no attack. So the specs that are about time are left out there, and those that load more than a plugin or two.
 */
const IS_EMULATED = spawnSync("systemd-detect-virt", { encoding: "utf8" }).stdout.trim() === "qemu";
const SPECS = IS_EMULATED
  ? [
      ...["modes", "degraded", "header"].map((name) => `__test__/jail/${name}.spec.ts`),
      "__test__/limits/cgroups.spec.ts",
    ]
  : ["__test__/jail", "__test__/limits"];

/** For tests that would have it built, where there is no cargo. */
const PROBE = "/machine/probe";

const MB = 1024 * 1024;

it("is a machine with cgroup v2 and systemd", () => {
  const systemd = execFileSync("systemctl", ["--version"], { encoding: "utf8" }).split("\n")[0];
  console.log(`Linux ${release()}, ${systemd}, Node ${process.version}${IS_EMULATED ? ", emulated" : ""}`);
  assert.match(site.DOCUMENTED, /^Delegate=memory pids$/m);
  assert.doesNotMatch(PLAIN, /Delegate/);
  assert.match(readFileSync("/proc/mounts", "utf8"), /^cgroup2 \/sys\/fs\/cgroup /m);
});

describe("the unit as it is printed", () => {
  after(site.end);

  it("runs plugins with the whole jail, or says which layers this kernel lacks", async () => {
    site.install(site.DOCUMENTED);
    const { available, unavailableReason, jail } = await site.start();
    console.log(`Landlock ${jail?.landlockAbi}: ${jail?.missing ?? "all layers"}`);
    assert.equal(jail?.layers.length, 6);
    assert.deepEqual([await site.missing(), available], [MISSING, MISSING.length === 0]);
    const reason = `EMDASH_SANDBOX_JAIL is require, and the jail would lack ${jail.missing}. Or set it to auto`;
    assert.equal(unavailableReason, available ? null : reason);
  });
});

describe("the unit, with all that the kernel has", () => {
  before(async () => {
    site.install(site.DOCUMENTED, SITE);
    await site.start();
  });
  after(site.end);
  theSame(true);

  it("each process is in a cgroup of its own, with the bounds of docs/limits.md, and Node in another", async () => {
    const own = (await site.processes()).map(site.cgroupOf);
    assert.equal(new Set(own).size, 2);
    assert.deepEqual(
      own.toSorted(),
      site
        .plugins()
        .map(({ path }) => path)
        .toSorted(),
    );
    for (const cgroup of site.plugins()) {
      assert.equal(Number(cgroup.read("memory.max")), (128 + 128) * MB);
      assert.equal(Number(cgroup.read("memory.swap.max")), 0);
      assert.equal(Number(cgroup.read("pids.max")), 64);
      assert.equal(cgroup.read("cgroup.procs").split("\n").length, 1);
      assert.ok(Number(cgroup.read("memory.current")) > MB);
    }
    assert.equal(site.cgroupOf(Number(site.show("MainPID"))), `${site.CGROUP}/main`);
  });

  it("a process that the kernel ends for its cgroup's memory is told of as one past its limit", async () => {
    const [one = 0] = await site.processes();
    const cgroup = site.cgroupOf(one);
    const now = Number(readFileSync(`${cgroup}/memory.current`, "utf8"));
    // Less than the process may have by its other limits, so that it is the kernel's own count that ends it.
    writeFileSync(`${cgroup}/memory.max`, String(now + 8 * MB));
    assert.deepEqual(await site.ask("/one/keep?64"), {
      error: "Error: Plugin one exceeded memory limit of 128MB during route:keep",
    });
    assert.deepEqual(await site.ask("/one/keep?64"), { answer: 64 });
    assert.deepEqual(await site.ask("/two/ping"), { answer: "pong" });
    assert.equal(site.plugins().length, 2);
  });

  it("SIGKILL of Node leaves no process, and systemd starts all of it again", async () => {
    const node = site.show("MainPID");
    const before = await site.processes();
    process.kill(Number(node), "SIGKILL");
    await site.until(() => !["0", node].includes(site.show("MainPID")), "there is another Node");
    const { limits } = await site.until(site.status, "the site answers again");
    assert.ok(limits?.hasCgroups);
    assert.deepEqual(
      before.filter((pid) => existsSync(`/proc/${pid}`)),
      [],
    );
    assert.equal(site.plugins().length, 2);
    assert.equal(site.workerds().length, 2);
  });

  it("a restart works", async () => {
    const { limits } = await site.restart();
    assert.ok(limits?.hasCgroups);
    assert.deepEqual(await site.ask("/one/ping"), { answer: "pong" });
    assert.equal(site.plugins().length, 2);
  });

  it("unloading and stopping leave neither a process nor a cgroup", leavesNothing);
});

describe("a unit without Delegate=", () => {
  before(async () => {
    site.install(PLAIN, SITE);
    await site.start();
  });
  after(site.end);
  theSame(false);

  it("makes no cgroup", () => assert.deepEqual(site.cgroups(), []));
  it("stopping leaves no process", leavesNothing);
});

describe("doctor, as the unit", () => {
  for (const { name, unit, cgroups } of [
    { name: "delegated", unit: site.DOCUMENTED, cgroups: "ok" },
    { name: "plain", unit: PLAIN, cgroups: "warning" },
  ]) {
    it(`${name}: says what there is`, () => {
      const doctor = "/usr/bin/node node_modules/emdash-sandbox-native/dist/cli/main.js doctor --json";
      const { code, out } = site.runAs(unit, AUTO, doctor, "/srv/site", "capture");
      /** @type {{ ok: boolean, checks: { id: string, status: string, found: string }[] }} */
      const { ok, checks } = JSON.parse(out);
      const status = Object.fromEntries(checks.map(({ id, status }) => [id, status]));
      for (const { id, status, found: what } of checks) console.log(`${status} ${id}: ${what}`);
      assert.deepEqual([code, ok, status.plugin, status.limits], [0, true, "ok", "ok"]);
      assert.equal(status.cgroups, cgroups);
      assert.equal(status.jail, MISSING.length > 0 ? "warning" : "ok");
    });
  }
});

describe("the jail's own tests", () => {
  it("pass as root", () => passes(["/machine/jail-tests"], "/srv/site"));
  it("pass as an ordinary user", () => passes([...ORDINARY, "/machine/jail-tests"], "/srv/site"));
});

describe(SPECS.join(", "), () => {
  const folders = ["/srv/repository/node_modules/.vite-temp", "/srv/repository/node_modules/.vite"];
  const vitest = [
    ...["/usr/bin/node", "node_modules/vitest/vitest.mjs", "run", ...SPECS],
    ...["--reporter=verbose", "--maxWorkers=1", "--testTimeout=600000", "--hookTimeout=600000"],
  ];
  before(() => {
    const [user = 0, group = 0] = ["-u", "-g"].map((id) => Number(execFileSync("id", [id, "emdash"])));
    for (const folder of folders) {
      mkdirSync(folder, { recursive: true });
      chownSync(folder, user, group);
    }
  });

  it("pass as an ordinary user", () => passes([...ORDINARY, ...vitest], "/srv/repository"));

  it("pass as the unit, with real cgroups", () => {
    const lines = [
      ...(IS_EMULATED ? SITE : AUTO),
      `ReadWritePaths=${folders.join(" ")}`,
      `Environment=NO_COLOR=1 EMDASH_TEST_CGROUPS=require EMDASH_TEST_PROBE=${PROBE}`,
    ];
    const { code } = site.runAs(site.DOCUMENTED, lines, vitest.join(" "), "/srv/repository", "show");
    assert.equal(code, 0);
  });
});

/** With and without cgroups. @param {boolean} hasCgroups */
function theSame(hasCgroups) {
  it(`serves, and says that it has ${hasCgroups ? "" : "no "}cgroups`, async () => {
    const { available, limits, plugins } = await site.status();
    assert.equal(available, true);
    assert.equal(limits?.hasCgroups, hasCgroups);
    assert.ok(limits.enforced.includes("memoryMb") && limits.enforced.includes("cpuMs"));
    assert.deepEqual(await site.missing(), MISSING);
    assert.deepEqual(
      plugins.map(({ state }) => state),
      ["serving", "serving"],
    );
  });

  for (const [route, limit] of [
    ["texts", "memory limit of 128MB"],
    ["spin", "CPU-time limit of 10000ms"],
  ]) {
    it(`${route}: only that plugin ends, by its limit's name, and the next call is served`, async () => {
      const before = await site.processes();
      const bomb = site.ask(`/one/${route}`);
      assert.deepEqual(await site.ask("/two/ping"), { answer: "pong" });
      const { error } = await bomb;
      assert.ok(error?.includes(`Plugin one exceeded ${limit} during route:${route}`), error);
      assert.deepEqual(await site.ask("/one/ping"), { answer: "pong" });
      assert.deepEqual(await site.ask("/two/ping"), { answer: "pong" });
      const [one, two] = await site.processes();
      assert.notEqual(one, before[0]);
      assert.equal(two, before[1]);
      assert.equal(site.workerds().length, 2);
      if (hasCgroups) assert.equal(site.plugins().length, 2);
    });
  }
}

async function leavesNothing() {
  assert.equal((await site.processes()).length, 2);
  site.stop();
  assert.deepEqual([site.show("ActiveState"), site.show("Result")], ["inactive", "success"]);
  assert.deepEqual(site.workerds(), []);
  assert.deepEqual(site.cgroups(), []);
}

/**
 * What it says is shown at once.
 *
 * @param {string[]} command
 * @param {string} cwd
 */
function passes([program = "", ...args], cwd) {
  const shown = openSync(site.SHOWN, "w");
  const env = { ...process.env, ...(IS_EMULATED ? PATIENT : {}), NO_COLOR: "1", EMDASH_TEST_PROBE: PROBE };
  const { status } = spawnSync(program, args, { cwd, env, stdio: ["ignore", shown, shown] });
  closeSync(shown);
  assert.equal(status, 0);
}
