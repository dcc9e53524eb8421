/** `EMDASH_SANDBOX_JAIL`: what each mode puts around a plugin's process, and what is said where it can't. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { jailRefusal } from "../../host/jail.js";
import { loadNative } from "../../host/native.js";
import { findWorkerd } from "../../host/workerd-binary.js";
import type * as Addon from "../../index.js";
import { useConsole } from "../support/console.js";
import { workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");

function addon(): typeof Addon {
  const native = loadNative();
  if (!native.ok) throw new Error(native.reason);
  return native.native.addon;
}

/** What Linux says of the one plugin's process, by the names of its lines. */
async function processOf(mode: string): Promise<Map<string, string>> {
  vi.stubEnv("EMDASH_SANDBOX_JAIL", mode);
  const plugin = await loadPlugin(makeRunner(), PING);
  expect(await ask(plugin)).toBe("pong");
  const [pid] = workerdsOf(process.pid);
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  const status = new Map(lines.map((line) => line.split(":\t") as [string, string]));
  for (const line of readFileSync(`/proc/${pid}/limits`, "utf8").split("\n")) {
    const [, name, soft, hard] = /^(Max .*?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
    if (name) status.set(name, `${soft} ${hard}`);
  }
  return status;
}

const NO_CAPABILITIES = "0000000000000000";

describe("a plugin's process (Linux)", () => {
  it("is in the jail by default, as far as this kernel has one", async () => {
    vi.stubEnv("EMDASH_SANDBOX_JAIL", undefined);
    const jail = addon().jailReport("auto");
    const holds = (name: string) => jail.layers.find((layer) => layer.name === name)?.enforced;
    const status = await processOf("");
    expect(status.get("NoNewPrivs")).toBe("1");
    if (holds("calls")) expect(status.get("Seccomp")).toBe("2");
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) expect(status.get(set)).toBe(NO_CAPABILITIES);
    expect(status.get("Max core file size")).toBe("1 1");
    expect(status.get("Max file size")).toBe("0 0");
    expect(status.get("Max open files")).toBe("1024 1024");
    expect(status.get("SigBlk")).toBe("0000000000000000");
  });

  it("is in none that the site has turned off", async () => {
    const status = await processOf("off");
    const ours = new Map(
      readFileSync("/proc/self/status", "utf8")
        .split("\n")
        .map((line) => line.split(":\t") as [string, string]),
    );
    for (const line of ["Seccomp", "Seccomp_filters", "CapEff"])
      expect(status.get(line)).toBe(ours.get(line));
    expect(printed).toEqual([]);
  });
});

it.each(["on", "AUTO", "auto,require", "1"])(
  "%s is no mode, and is refused by the variable's name",
  (mode) => {
    vi.stubEnv("EMDASH_SANDBOX_JAIL", mode);
    expect(() => makeRunner()).toThrow(
      new RangeError(
        `emdash-sandbox-native: EMDASH_SANDBOX_JAIL must be auto, require or off, not ${JSON.stringify(mode)}`,
      ),
    );
  },
);

describe("a script in workerd's place", () => {
  /** What the package `workerd` puts in `node_modules/.bin`. */
  const script = createRequire(import.meta.url).resolve("workerd/bin/workerd");

  it("is refused with the remedy, because in the jail it could not start what it is for", () => {
    vi.stubEnv("EMDASH_WORKERD_BIN", script);
    vi.stubEnv("EMDASH_SANDBOX_JAIL", "auto");
    const runner = makeRunner();
    expect(runner.isAvailable()).toBe(false);
    expect(runner.unavailableReason()).toMatch(
      /is a script, .* Let EMDASH_WORKERD_BIN name workerd's binary itself, as node_modules\/@cloudflare\/workerd-linux-\w+\/bin\/workerd$/,
    );
  });

  it("runs plugins where there is no jail, if it becomes workerd", async () => {
    const found = findWorkerd(process.env);
    const wrapper = join(mkdtempSync(join(tmpdir(), "emdash-sandbox-test-")), "workerd");
    onTestFinished(() => rmSync(dirname(wrapper), { recursive: true }));
    writeFileSync(wrapper, `#!/bin/sh\nexec '${found.ok && found.binary.path}' "$@"\n`, { mode: 0o755 });
    vi.stubEnv("EMDASH_WORKERD_BIN", wrapper);
    vi.stubEnv("EMDASH_SANDBOX_JAIL", "off");
    expect(await ask(await loadPlugin(makeRunner(), PING))).toBe("pong");
  });
});

it("require runs plugins exactly where nothing of the jail is missing", async () => {
  vi.stubEnv("EMDASH_SANDBOX_JAIL", " require ");
  const { missing } = addon().jailReport("require");
  const runner = makeRunner();
  expect(runner.isAvailable()).toBe(missing === null);
  if (missing === null) expect(await ask(await loadPlugin(runner, PING))).toBe("pong");
  else expect(runner.unavailableReason()).toContain(missing);
});

describe("the report", () => {
  it("has every layer, with the reason where one does not hold", () => {
    for (const mode of ["auto", "require", "off"]) {
      const report = addon().jailReport(mode);
      expect(report.mode).toBe(mode);
      const names = report.layers.map(({ name }) => name);
      expect(names).toEqual(["limits", "capabilities", "files", "network", "scope", "calls"]);
      for (const { enforced, reason } of report.layers) expect(reason === null).toBe(enforced);
      expect(report.missing === null).toBe(report.layers.every(({ enforced }) => enforced));
    }
    expect(
      addon()
        .jailReport("off")
        .layers.map(({ enforced }) => enforced),
    ).not.toContain(true);
  });

  it("of a kernel that lacks something is a line in the log, once, or the reason to run nothing, as the mode says", () => {
    const missing = "scope (this kernel is too old)";
    const refusal = (mode: string) => jailRefusal({ mode, missing, layers: [] }, process.execPath);
    expect([refusal("auto"), refusal("auto"), refusal("off")]).toEqual([null, null, null]);
    expect(printed).toEqual([
      { level: "warn", line: `[emdash:workerd] The jail around plugins lacks ${missing}` },
    ]);
    expect(refusal("require")).toBe(
      `EMDASH_SANDBOX_JAIL is require, and the jail would lack ${missing}. Or set it to auto`,
    );
  });
});
