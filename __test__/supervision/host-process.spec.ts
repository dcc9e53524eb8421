/** The Node process around it: how it ends, and what stays when it has ended, which is nothing. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Host } from "../support/host.js";
import { isAlive, onLinux, workerdsOf } from "../support/processes.js";
import { until } from "../support/until.js";

/** The processes of a host's two plugins. */
function workerds(host: Host): number[] {
  const pids = workerdsOf(host.pid);
  if (onLinux) expect(pids).toHaveLength(2);
  return pids;
}

function gone(pids: number[]): Promise<void> {
  return until(() => !pids.some(isAlive), "the plugins' processes are gone");
}

describe("a host that is ended from outside (Linux)", () => {
  it.each(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "by %s ends at once and leaves no process",
    async (signal) => {
      const host = new Host("serving.mjs");
      await host.said("ready");
      const pids = workerds(host);
      host.kill(signal);
      // The signal itself, as Node does by default: no handler of ours stands in between.
      expect(await host.ended).toEqual({ code: null, signal });
      await gone(pids);
    },
  );

  it("while its plugins' processes start leaves none either", async () => {
    const host = new Host("loading.mjs", {
      node: ["--import", "data:text/javascript,setInterval(()=>{},1000)"],
    });
    await host.said("ready");
    await until(() => workerdsOf(host.pid).length > 0, "a process starts");
    const pids = workerdsOf(host.pid);
    host.kill("SIGKILL");
    await host.ended;
    await gone(pids);
  });
});

describe("a host that ends itself", () => {
  it.each([
    ["done.mjs", "with its plugins loaded and served"],
    ["loading.mjs", "while a plugin's process starts, and never would be up"],
  ])("because it has nothing left to do (%s: %s) needs no terminateAll", async (script) => {
    const host = new Host(script);
    await host.said("ready");
    if (onLinux) await until(() => workerdsOf(host.pid).length > 0, "a process");
    const pids = workerdsOf(host.pid);
    host.tell("go");
    expect(await host.ended).toEqual({ code: 0, signal: null });
    await gone(pids);
    expect(host.err).toBe("");
  });

  it.each([
    ["exit", { code: 7, signal: null }],
    ["throw", { code: 1, signal: null }],
    ["reject", { code: 1, signal: null }],
    ["abort", { code: null, signal: "SIGABRT" }],
  ])("by %s in the middle of a call leaves no process", async (way, exit) => {
    const host = new Host("exits.mjs", { args: [way] });
    await host.said("ready");
    const pids = workerds(host);
    host.tell("go");
    expect(await host.ended).toEqual(exit);
    await gone(pids);
  });

  it("stays while it awaits a call, because that is something left to do", async () => {
    const host = new Host("waiting.mjs");
    await host.said("ready");
    for (const pid of workerds(host)) process.kill(pid, "SIGKILL");
    await host.said("Plugin sandbox unavailable for one:1: its process ended with signal 9");
    expect(await host.ended).toEqual({ code: 0, signal: null });
  });
});

it("a runner that is dropped without being closed is collected, and its processes end (Linux)", async () => {
  const host = new Host("drops.mjs", { node: ["--expose-gc"] });
  await host.said("ready");
  const pids = workerds(host);
  host.tell("drop");
  await gone(pids);
  expect(isAlive(host.pid)).toBe(true);
});

it.each(["end", "terminate"])(
  "a worker thread that ends (%s) takes its own processes along, and no others (Linux)",
  async (way) => {
    const host = new Host("worker.mjs", { args: [way] });
    await host.said("both");
    expect(workerdsOf(host.pid)).toHaveLength(4);
    host.tell(way);
    await host.said("worker ended");
    await host.said("pong");
    expect(await host.ended).toEqual({ code: 0, signal: null });
  },
);

it("nothing lies in the temporary folder, neither while plugins run nor after a SIGKILL", async () => {
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const host = new Host("serving.mjs", { env: { TMPDIR: folder } });
  await host.said("ready");
  expect(readdirSync(folder)).toEqual([]);
  host.kill("SIGKILL");
  await host.ended;
  expect(readdirSync(folder)).toEqual([]);
});

it("importing the package loads neither EmDash, miniflare nor the addon's runner, and the process ends by itself", async () => {
  const trace = join(import.meta.dirname, "../fixtures/hosts/trace-imports.mjs");
  const host = new Host("imports.mjs", { node: ["--import", trace] });
  expect(await host.ended).toEqual({ code: 0, signal: null });
  const loaded = host.out.split("\n").filter((line) => line.startsWith("loaded "));
  expect(loaded.filter((url) => url.includes("/dist/sandbox.js"))).toHaveLength(1);
  expect(loaded.filter((url) => /node_modules\/(emdash|kysely|workerd|astro|miniflare)\//.test(url))).toEqual(
    [],
  );
  const main = ["WorkerdSandboxRunner", "createSandboxRunner"];
  const sandbox = [
    "MiniflareDevRunner",
    "WorkerdSandboxRunner",
    "createBridgeHandler",
    "createSandboxRunner",
  ];
  expect(host.out).toContain(JSON.stringify([main, sandbox]));
});
