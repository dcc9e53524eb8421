/** Memory of a start: what a plugin takes at its top level is bounded like the rest, and is no part of workerd's own. */
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { useConsole } from "../support/console.js";
import { childrenOf, workerdsOf } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

useConsole();

/** So much processor time that memory is what they meet. */
const options = { limits: { memoryMb: 32, cpuMs: 20_000 } };

/** The limit and what documentation grants workerd for itself. */
const MOST_MB = 32 + 64;

const FINE = routeOf("return 'fine'");

describe("a plugin that uses more memory at its start than it may", () => {
  const REFUSED = "it threw at its start: RangeError: Array buffer allocation failed";
  const ENDED = "it used more than 32 MB of memory at its start";

  it.each([
    ["a buffer that it fills", "const hoard = new Uint8Array(2 ** 31).fill(1);", REFUSED],
    [
      "a buffer that it would fill later",
      "const hoard = new Uint8Array(2 ** 31); globalThis.later = () => hoard.fill(1);",
      REFUSED,
    ],
    ["a shared buffer", "const hoard = new Uint8Array(new SharedArrayBuffer(2 ** 31)).fill(1);", REFUSED],
    [
      "many small buffers",
      "const hoard = []; for (;;) hoard.push(new Uint8Array(1 << 16).fill(1));",
      `${REFUSED}|${ENDED}`,
    ],
    ["objects", "const hoard = []; for (;;) hoard.push({ a: [1, 2, 3] });", ENDED],
    [
      "texts",
      `const hoard = []; for (let n = 0; ; n += 1) hoard.push(JSON.stringify("x".repeat(99999) + n));`,
      ENDED,
    ],
  ])(
    "for %s does not start, says why, and never takes more than the limit and 64 MB (Linux)",
    async (_kind, bomb, reason) => {
      const runner = makeRunner(options);
      const neighbour = await loadPlugin(runner, FINE, { id: "neighbour" });
      await ask(neighbour);
      const [neighbours] = workerdsOf(process.pid);
      let peak = 0;
      const timer = setInterval(() => {
        for (const pid of workerdsOf(process.pid))
          if (pid !== neighbours) peak = Math.max(peak, anonymousMb(pid));
      }, 1);
      onTestFinished(() => clearInterval(timer));
      const plugin = await loadPlugin(runner, `${bomb} ${FINE}`);
      await expect(ask(plugin)).rejects.toMatchObject({
        name: "SandboxUnavailableError",
        message: expect.stringMatching(
          new RegExp(`^Plugin sandbox unavailable for test:1\\.0\\.0: (${reason})`),
        ),
      });
      expect(peak).toBeLessThanOrEqual(MOST_MB);
      expect(await ask(neighbour)).toBe("fine");
      expect(childrenOf(process.pid)).toEqual([neighbours]);
    },
  );
});

it("what a plugin has taken at its start counts: it adds nothing to what it may have afterwards", async () => {
  // Each fits by itself; together they take twice the limit, and more than workerd's own share besides.
  const code = `const hoard = new Uint8Array(60 << 20).fill(1);
    ${routeOf("return [hoard.length, new Uint8Array(60 << 20).fill(1).length]")}`;
  const plugin = await loadPlugin(makeRunner({ limits: { memoryMb: 64 } }), code);
  await expect(ask(plugin)).rejects.toThrow("Array buffer allocation failed");
});

/** Private memory that is not a file's, in MiB; 0 when there is no such process. */
function anonymousMb(pid: number): number {
  try {
    const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kilobytes ?? 0) / 1024;
  } catch {
    return 0;
  }
}
