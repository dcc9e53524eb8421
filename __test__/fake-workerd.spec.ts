/** What the supervisor does when the program that it runs is not the workerd that it should be. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { useConsole } from "./support/console.js";
import { fakeRunner } from "./support/fake.js";
import { childrenOf, isAlive, onLinux } from "./support/processes.js";
import { ask, loadPlugin, manifestOf } from "./support/runner.js";
import { until } from "./support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

function unavailable(reason: RegExp) {
  const message = expect.stringMatching(
    new RegExp(`^Plugin sandbox unavailable for test:1\\.0\\.0: ${reason.source}`),
  );
  return expect.objectContaining({ name: "SandboxUnavailableError", message });
}

async function noChildLeft(): Promise<void> {
  if (onLinux) await until(() => childrenOf(process.pid).length === 0, "no process left");
}

describe("a workerd", () => {
  it.each([
    [
      "that never says it listens fails at the deadline",
      "never-ready.mjs",
      /it was not ready after 5000 ms$/,
    ],
    [
      "that never opens the channel fails at the deadline",
      "never-opens.mjs",
      /it was not ready after 5000 ms$/,
    ],
    [
      "that dies before it is ready gives its last words, without its colours",
      "dies-before-ready.mjs",
      /its process ended with exit code 3: \*\*\* Fatal: the configuration is \\u\{1b\}\[31mno good\\u\{1b\}\[0m$/,
    ],
    ["that refuses the channel", "closes-channel.mjs", /its channel can't be opened: /],
    ["whose first frame is no report", "never-reports.mjs", /it did not say that it was ready$/],
  ])("%s, and is killed", async (_what, name, reason) => {
    const plugin = await loadPlugin(fakeRunner(name), "");
    await expect(ask(plugin)).rejects.toEqual(unavailable(reason));
    await noChildLeft();
  });

  it("that dies in a call fails the call with its last words, and the next call starts another", async () => {
    const runner = fakeRunner("dies-after-ready.mjs");
    const plugin = await loadPlugin(runner, "");
    for (const time of [1, 2]) {
      await expect(ask(plugin)).rejects.toEqual(
        unavailable(/its process ended with exit code 134: \*\*\* Fatal: out of luck$/),
      );
      await plugin.ensureRunning();
      expect(runner.status().plugins[0]).toMatchObject({ failures: time, starts: time + 1 });
    }
  });

  it("that floods standard error is read, cut and named, and the host goes on", async () => {
    const plugin = await loadPlugin(fakeRunner("floods.mjs"), "", { id: "wet" });
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    onTestFinished(() => clearInterval(ticking));
    expect(await Promise.all([ask(plugin), ask(plugin)])).toEqual(["dry", "dry"]);
    await until(
      () => printed.some(({ line }) => line.includes("log lines dropped")),
      "a word on what was dropped",
    );
    expect(turns).toBeGreaterThan(1);
    for (const { line } of printed) {
      expect(line).toMatch(/^\[emdash:workerd\] (\[plugin:wet\] |\d+ log lines dropped: )/);
      expect(line.length).toBeLessThan(9000);
    }
    expect(printed.length).toBeLessThan(40_000);
    expect(await ask(plugin)).toBe("dry");
  });

  it.each([
    ...[
      "no JSON",
      "half of a frame",
      "an unknown frame",
      "a list",
      "a second report",
      "a number that is none",
    ],
    ...["a negative number", "a frame that is stored nowhere", "an empty message", "a binary message"],
  ])("that says %s on the channel is ended, because only a hostile guest would", async (kind) => {
    const runner = fakeRunner("says-garbage.mjs", { FAKE_GARBAGE: kind });
    const plugin = await loadPlugin(runner, "");
    await plugin.ensureRunning();
    const pid = runner.status().plugins[0]?.processId ?? 0;
    await expect(ask(plugin)).rejects.toEqual(unavailable(/it sent /));
    if (onLinux) expect(isAlive(pid)).toBe(false);
  });

  it("that answers and calls in the name of invocations that are not open gets nowhere", async () => {
    const plugin = await loadPlugin(fakeRunner("answers-others.mjs"), "");
    const over = "the hook or route that made this call is over";
    expect(await ask(plugin)).toEqual([over, over, over, "Unknown bridge method: no/such"]);
  });
});

describe("what a plugin's process is given (Linux)", () => {
  /** The lines that it says of itself. */
  async function told(env: Record<string, string> = {}): Promise<string[]> {
    const runner = fakeRunner("tells-environment.sh", env);
    await expect(ask(await loadPlugin(runner, ""))).rejects.toThrow("exit code 9");
    const lines = printed.map(({ line }) => line.replace("[emdash:workerd] [plugin:test] ", ""));
    // The supervisor's own line repeats them all.
    return lines.filter((line) => !line.startsWith("can't start: "));
  }

  const ALLOWED = ["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "LC_ALL"];

  it("is an environment of the allow-list and of what the site names, and nothing else", async () => {
    vi.stubEnv("DATABASE_URL", "postgres://secret");
    vi.stubEnv("LANG", "de_DE.UTF-8");
    const lines = await told({ SITE_NAMED: "given", SITE_OTHER: "" });
    const variables = lines.slice(
      0,
      lines.findIndex((line) => line.startsWith("arguments: ")),
    );
    const given = new Map(variables.map((line) => [line.split("=")[0], line]));
    expect([...given.keys()].filter((name) => !ALLOWED.includes(name ?? "")).sort()).toEqual([
      "SITE_NAMED",
      "SITE_OTHER",
    ]);
    expect(given.get("SITE_NAMED")).toBe("SITE_NAMED=given");
    expect(given.get("LANG")).toBe("LANG=de_DE.UTF-8");
    expect(lines.join()).not.toContain("secret");
  });

  it("are four descriptors by name and the standard ones, whatever else this process has open", async () => {
    const file = openSync(import.meta.filename, "r");
    onTestFinished(() => closeSync(file));
    const lines = await told();
    const open = lines.filter((line) => line.includes(" -> ")).map((line) => line.split(" -> ")[1] ?? "");
    const kinds = open.map((target) =>
      target
        .replace(/:\[\d+\]$/, "")
        .replace(/\/\d+\/fd$/, "")
        .replace(/^.*\/emdash-sandbox-\w+\/s/, "backing"),
    );
    // Standard input, output and error; configuration, listener, control and backing server; the folder that ls lists.
    expect(kinds.sort()).toEqual(
      [
        ...["/dev/null", "pipe", "pipe"],
        ...["/memfd:emdash-sandbox-config (deleted)", "socket", "pipe", "backing (deleted)"],
        "/proc",
      ].sort(),
    );
  });

  it("are the arguments of workerd serve, without a path of the disk and without code", async () => {
    const [line] = (await told()).filter((each) => each.startsWith("arguments: "));
    expect(line).toMatch(
      /^arguments: serve --socket-fd=entry=\d+ --control-fd=\d+ (.* )?\/proc\/self\/fd\/\d+ config$/,
    );
  });

  it("is the folder of its own descriptors, and no way to gain privileges", async () => {
    const lines = await told();
    expect(lines).toContainEqual(expect.stringMatching(/^folder: \/proc\/\d+\/fd$/));
    expect(lines).toContain("NoNewPrivs: 1");
  });
});

describe("no workerd at all", () => {
  it("makes the runner unavailable, with the reason logged once and in every refusal", async () => {
    const runner = fakeRunner("there-is-none");
    expect([runner.isAvailable(), runner.isHealthy(), runner.isAvailable()]).toEqual([false, false, false]);
    expect(runner.unavailableReason()).toMatch(/^EMDASH_WORKERD_BIN: .*there-is-none does not exist\. /);
    const refusal = expect.objectContaining({
      name: "SandboxUnavailableError",
      message: `Plugin sandbox unavailable for test: ${runner.unavailableReason()}`,
    });
    for (let load = 0; load < 2; load += 1) {
      await expect(runner.load(manifestOf(), "export default {};")).rejects.toEqual(refusal);
    }
    await runner.terminateAll();
    expect(runner.validateToken("a.b")).toBeNull();
    expect(printed).toEqual([
      { level: "warn", line: `[emdash:workerd] Plugins can't run: ${runner.unavailableReason()}` },
    ]);
  });
});

describe("the launcher", () => {
  it("does nothing for anybody but the addon", async () => {
    const launcher = spawn(
      join(import.meta.dirname, "../emdash-sandbox-launcher"),
      ["1", "try:", "/bin/echo", "run"],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let out = "";
    launcher.stdout.on("data", (text) => {
      out += text;
    });
    const code = await new Promise((resolve) => launcher.once("close", resolve));
    expect([code, out]).toEqual([127, ""]);
  });
});
