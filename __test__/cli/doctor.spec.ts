/** `doctor`: what it says of machines that can run plugins, and of those that can't. Real processes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Check, Diagnosis } from "../../host/cli/doctor.js";
import { command, onMachine } from "../support/cli.js";
import { onLinux } from "../support/processes.js";

const IDS = [
  ...["node", "glibc", "addon", "workerd", "landlock", "seccomp", "jail", "transport", "limits", "cgroups"],
  ...["temporary-folder", "emdash", "plugin"],
];

const TO_DO = /\b(Add|Install|Let|Look|Mend|Move|Report|Run|Set|Unset|Update|Use)\b/;

async function diagnosed(circumstances: Parameters<typeof command>[1] = {}) {
  const { code, out, err } = await command(["doctor", "--json"], circumstances);
  expect(err).toBe("");
  const diagnosis = JSON.parse(out) as Diagnosis;
  // Whatever is wrong with a machine, every check has its say, and what is not well its remedy.
  expect(diagnosis.checks.map(({ id }) => id)).toEqual(IDS);
  for (const { id, status, remedy } of diagnosis.checks) {
    expect(["ok", "warning", "failed"], id).toContain(status);
    if (status === "ok") expect(remedy, id).toBeNull();
    else expect(remedy?.length, id).toBeGreaterThan(10);
    // Not only what is wrong: what somebody is to do.
    if (status === "failed") expect(remedy, id).toMatch(TO_DO);
    expect(remedy ?? "", "one line").not.toContain("\n");
  }
  expect(code).toBe(diagnosis.ok ? 0 : 1);
  const check = (id: string) => diagnosis.checks.find((check) => check.id === id) as Check;
  return { ...diagnosis, check };
}

describe("on a machine that runs plugins", () => {
  it("says so as JSON, with what a real plugin took and what the runner says of itself", async () => {
    const { ok, version, platform, timings, runner, check } = await diagnosed();
    expect({ ok, version, platform }).toEqual({
      ok: true,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      platform: `${process.platform} ${process.arch}`,
    });
    expect(timings?.startMs).toBeGreaterThan(1);
    expect(timings?.callMs).toBeGreaterThan(0);
    expect(timings?.stopMs).toBeGreaterThan(0);
    expect(runner).toMatchObject({ available: true, limits: { memoryMb: 128 }, plugins: [] });
    expect(check("node")).toMatchObject({ status: "ok", found: process.versions.node });
    expect(check("workerd").found).toContain(runner?.workerd?.version);
    expect(check("plugin").found).toMatch(
      /^started in [\d.]+ ms, answers in [\d.]+ ms, stopped in [\d.]+ ms$/,
    );
    expect(check("limits")).toMatchObject({ status: "ok" });
  });

  it("says so on one screen, a sign before each line and an arrow before each remedy", async () => {
    const { code, out, err } = await command(["doctor"]);
    expect([code, err]).toEqual([0, ""]);
    const [title, blank, ...lines] = out.trimEnd().split("\n");
    expect(title).toMatch(/^emdash-sandbox-native \d+\.\d+\.\d+ on /);
    expect(blank).toBe("");
    expect(lines.splice(-2)).toEqual(["", "Plugins can run here."]);
    for (const line of lines) expect(line).toMatch(/^([✓!✗] \S|\s+→ \S)/);
    expect(lines.filter((line) => /^[✓!✗]/.test(line))).toHaveLength(IDS.length);
    expect(lines.length).toBeLessThan(24);
  });

  it("warns of ports in place of sockets, because others on the machine can connect to them", async () => {
    const { check, ok } = await diagnosed({ env: { EMDASH_SANDBOX_TRANSPORT: "tcp" } });
    expect(ok).toBe(true);
    expect(check("transport")).toMatchObject({ status: "warning", found: "tcp: ports of 127.0.0.1" });
  });

  it("warns of a jail that is off, because plugins run without it", async () => {
    const { ok, check } = await diagnosed({ env: { EMDASH_SANDBOX_JAIL: "off" } });
    expect(ok).toBe(true);
    expect(check("jail")).toMatchObject({ status: "warning", remedy: "Unset EMDASH_SANDBOX_JAIL." });
  });

  it("warns of a temporary folder that takes nothing, where shared memory serves", async () => {
    const { ok, check } = await diagnosed({ env: { TMPDIR: "/nonexistent" } });
    expect(ok).toBe(onLinux);
    expect(check("temporary-folder")).toMatchObject({
      status: onLinux ? "warning" : "failed",
      remedy: expect.stringContaining("TMPDIR"),
    });
  });
});

describe("no plugin can run", () => {
  it("without a workerd: the variable that names it is told, by JSON and on the screen", async () => {
    const env = { EMDASH_WORKERD_BIN: "/nonexistent" };
    const { ok, timings, check } = await diagnosed({ env });
    expect([ok, timings]).toEqual([false, null]);
    const remedy = expect.stringContaining("EMDASH_WORKERD_BIN: /nonexistent does not exist. Let it name");
    expect(check("workerd")).toMatchObject({ status: "failed", remedy });
    expect(check("plugin")).toMatchObject({ status: "failed", remedy });
    expect(check("addon")).toMatchObject({ status: "ok" });

    const { code, out } = await command(["doctor"], { env });
    expect(code).toBe(1);
    expect(out).toMatch(/^✗ workerd .*\n\s+→ EMDASH_WORKERD_BIN/m);
    expect(out).toContain("\nNo plugin can run here: see ✗.\n");
  });

  it("with a workerd that ends at once: its last words are told", async () => {
    const fake = join(import.meta.dirname, "../fixtures/fake-workerd/dies-before-ready.mjs");
    const { check } = await diagnosed({ env: { EMDASH_WORKERD_BIN: fake, EMDASH_SANDBOX_JAIL: "off" } });
    expect(check("plugin")).toMatchObject({
      status: "failed",
      found: expect.stringContaining(
        "did not run: its process ended with exit code 3: *** Fatal: the configuration is",
      ),
      remedy: "Let EMDASH_WORKERD_BIN name a workerd that runs here, or unset it.",
    });
  });

  it("with a workerd that is never ready, and it ends when a start may take no longer", async () => {
    const fake = join(import.meta.dirname, "../fixtures/fake-workerd/never-ready.mjs");
    const { check } = await diagnosed({
      env: { EMDASH_WORKERD_BIN: fake, EMDASH_SANDBOX_JAIL: "off", EMDASH_SANDBOX_START_TIMEOUT_MS: "300" },
    });
    expect(check("plugin").found).toBe("did not run: it was not ready after 300 ms");
    expect(check("plugin").remedy).toContain("EMDASH_SANDBOX_START_TIMEOUT_MS");
  });

  it("with a limit that is none: the variable is told", async () => {
    const { check } = await diagnosed({ env: { EMDASH_SANDBOX_CPU_MS: "fast" } });
    expect(check("plugin").found).toContain("EMDASH_SANDBOX_CPU_MS must be a number from 1");
    expect(check("plugin").remedy).toBe("Mend EMDASH_SANDBOX_CPU_MS, or unset it.");
    expect(check("workerd")).toMatchObject({ status: "ok" });
  });

  it.each([
    ["aix-ppc64", "addon"],
    ["linux-riscv64", "addon"],
    ["musl", "glibc"],
  ])("on %s: the check %s says why, and what to run on", async (machine, id) => {
    const { ok, check } = await diagnosed(onMachine(machine));
    expect(ok).toBe(false);
    expect(check(id).status).toBe("failed");
    expect(check("plugin").status).toBe("failed");
  });
});

describe("the documented JSON", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/cli.md"), "utf8");
  const [doctor = ""] = page.split("\n## `run`\n");

  it("has the fields of docs/cli.md, all of them and no other, with their ids in that order", async () => {
    const { check, ...diagnosis } = await diagnosed();
    const table = doctor.split("`--json` prints one object:")[1]?.split("\n\n")[1] ?? "";
    const fields = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(
      ([, cell = ""]) => cell.match(/\w+/g) ?? [],
    );
    expect(Object.keys(diagnosis).sort()).toEqual(fields.sort());
    const ids = /The ids are (.*?), always all of\nthem/s.exec(doctor)?.[1]?.match(/[\w-]+(?=`)/g);
    expect(ids).toEqual(IDS);
    expect(Object.keys(check("node")).sort()).toEqual(["found", "id", "remedy", "status", "title"]);
    expect(doctor).toContain("a list of `{ id, title, status, found, remedy }`");
    expect(Object.keys(diagnosis.timings ?? {}).sort()).toEqual(["callMs", "startMs", "stopMs"]);
  });
});

describe("how it is asked", () => {
  it.each([[["--no-such"]], [["doctor", "--no-such"]], [["doctor", "twice"]], [["physician"]], [[]]])(
    "%j is answered with how to, and code 2",
    async (args) => {
      const { code, out, err } = await command(args);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toMatch(/^emdash-sandbox-native: .*\n\nemdash-sandbox-native doctor \[--json\]/);
    },
  );

  it.each([
    [["--help"], /run <plugin\.mjs>/],
    [["doctor", "--help"], /^emdash-sandbox-native doctor \[--json\]\n[\s\S]*Exit code: 0/],
    [["run", "--help"], /--manifest <file>[\s\S]*Exit code: 0/],
    [["--version"], /^\d+\.\d+\.\d+\n$/],
  ])("%j is answered on standard output, with code 0", async (args, text) => {
    const { code, out, err } = await command(args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(text);
  });
});
