/** How a plugin's worker starts in development, fails to, and ends. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { expect, it } from "vitest";
import { MiniflareDevRunner } from "../../host/dev/runner.js";
import { useConsole } from "../support/console.js";
import { onLinux, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf, useRunnerClass } from "../support/runner.js";
import { until } from "../support/until.js";

useRunnerClass(MiniflareDevRunner);
const printed = useConsole({ withNotice: true });

it.each([
  [
    "does not parse",
    "export default {\n  a b\n};",
    /^its process ended: Uncaught SyntaxError: .* at plugin\.js:2:\d+$/,
  ],
  [
    "throws",
    'const f = () => {\n  throw new TypeError("boom");\n};\nf();',
    /^it threw at its start: TypeError: boom at f \(plugin\.js:2:9\) at plugin\.js:4:1$/,
  ],
  ["exports nothing", "export const a = 1;", /^it has no default export with hooks and routes$/],
])("a plugin whose code %s fails its calls with the plugin's own line", async (_what, code, reason) => {
  const plugin = await loadPlugin(makeRunner(), code);
  const error = (await plugin.invokeHook("h", {}).catch((error) => error)) as Error;
  const [start, words] = error.message.split("test:1.0.0: ");
  expect([error.name, start]).toEqual(["SandboxUnavailableError", "Plugin sandbox unavailable for "]);
  expect(words).toMatch(reason);
  expect(printed.at(-1)?.line).toBe(`[emdash:workerd] [plugin:test] can't start: ${words}`);
});

it("says once which limits hold, because most do not", async () => {
  await ask(await loadPlugin(makeRunner(), routeOf("return 1")));
  expect(printed.filter(({ line }) => line.includes("limits"))).toEqual([
    {
      level: "warn",
      line: "[emdash:workerd] Plugins run in miniflare, for development: of the limits only wallTimeMs, maxUploadMb, maxFetchMb hold",
    },
  ]);
});

it.runIf(onLinux)(
  "a plugin that crashes fails its calls in flight, and the next call starts it again",
  async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(
      runner,
      `export default { routes: { run: () => "alive", wait: () => new Promise(() => {}) } };`,
    );
    expect(await ask(plugin)).toBe("alive");
    const waiting = ask(plugin, {}, "wait");
    const [workerd] = workerdsOf(process.pid);
    process.kill(workerd ?? 0, "SIGKILL");
    await expect(waiting).rejects.toThrow("Plugin sandbox unavailable for test:1.0.0: its process ended");
    expect(await ask(plugin)).toBe("alive");
    expect(runner.currentEpoch).toBe(2);
  },
);

it.runIf(onLinux)(
  "no process is left when a start fails, a plugin is replaced or all are terminated",
  async () => {
    const runner = makeRunner();
    const broken = await loadPlugin(runner, "export default {", { id: "broken" });
    await expect(ask(broken)).rejects.toThrow("SyntaxError");
    await ask(await loadPlugin(runner, routeOf("return 1")));
    await ask(await loadPlugin(runner, routeOf("return 2")));
    await until(() => workerdsOf(process.pid).length === 1, "the replaced one is gone");
    await runner.terminateAll();
    expect(workerdsOf(process.pid)).toEqual([]);
  },
);

it.runIf(onLinux)(
  "a plugin that is unloaded at any moment of its start leaves no process, and its unloading ends",
  async () => {
    const runner = makeRunner();
    for (let moment = 0; moment < 12; moment += 1) {
      const plugin = await loadPlugin(runner, routeOf(`return ${moment}`));
      const asked = ask(plugin).catch((error) => error);
      // Moments of the start, not a wait for anything: miniflare takes some 200 ms.
      await new Promise((resolve) => setTimeout(resolve, moment * 25));
      await plugin.terminate();
      const answer = await asked;
      if (answer !== moment) expect(String(answer)).toMatch(/SandboxUnavailableError: .* it was unloaded$/);
    }
    expect(workerdsOf(process.pid)).toEqual([]);
  },
);

it.runIf(onLinux)("a plugin that spins takes no other one with it", async () => {
  const runner = makeRunner({ limits: { wallTimeMs: 2000 } });
  const spinning = await loadPlugin(runner, routeOf("for (;;) {}"), { id: "spinning" });
  const other = await loadPlugin(runner, routeOf("return 1"), { id: "other" });
  await other.ensureRunning();
  const spins = ask(spinning);
  expect(await ask(other)).toBe(1);
  await expect(spins).rejects.toThrow("exceeded wall-time limit of 2000ms during route:run");
  expect(await ask(other)).toBe(1);
});

it.runIf(onLinux)(
  "nobody without the key gets to a plugin, though miniflare opens a port that each page in the developer's browser can reach",
  async () => {
    const runner = makeRunner();
    const plugin = await loadPlugin(runner, routeOf("return 1"));
    await plugin.ensureRunning();
    const [workerd = 0] = workerdsOf(process.pid);
    const ports = listeningPorts(workerd);
    expect(ports).not.toEqual([]);
    for (const port of ports) {
      for (const path of ["channel", "frames/1", "bytes/1"]) {
        for (const headers of [{}, { "x-dev-key": "" }, { "x-dev-key": "undefined" }] as Record<
          string,
          string
        >[]) {
          const { status } = await fetch(`http://127.0.0.1:${port}/${path}`, {
            method: "POST",
            body: "x",
            headers,
          });
          expect(status).toBe(404);
        }
      }
    }
  },
);

/** The TCP ports that a process listens on. */
function listeningPorts(pid: number): number[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  const LISTENS = "0A";
  const rows = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
  return rows.flatMap((row) => {
    const [, address = "", , state, , , , , , inode] = row.trim().split(/\s+/);
    const isOurs = state === LISTENS && links.includes(`socket:[${inode}]`);
    return isOurs ? [Number.parseInt(address.split(":")[1] ?? "", 16)] : [];
  });
}
