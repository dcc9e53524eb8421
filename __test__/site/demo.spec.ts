/** `npm run demo:site`, built and in development: what the README promises of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { afterEach, describe, expect, it } from "vitest";
import { childrenOf, isAlive, workerdsOf } from "../support/processes.js";
import { until } from "../support/until.js";
import { siteReason } from "./support/site.js";

const running = new Set<ChildProcess>();

afterEach(() => {
  // It ends its site on this signal, and not when it is killed.
  for (const child of running)
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), "SIGTERM");
  running.clear();
});

describe.skipIf(siteReason !== null)(
  `npm run demo:site${siteReason ? ` (left out: ${siteReason})` : ""}`,
  () => {
    it.each([
      { command: "npm run demo:site", what: "the built server" },
      { command: "npm run demo:site -- --dev", what: "astro dev" },
    ])(
      "$command starts $what with plugins at work, signs in by its link, and leaves nothing behind",
      async ({ command }) => {
        const demo = await startDemo(command);
        const page = await fetch(demo.url);
        expect(page.status).toBe(200);
        // By a plugin's hook, so the sandbox runs.
        expect(await page.text()).toContain(
          `<meta name="plugin-about" content="A site with plugins ${demo.url} en">`,
        );

        const signedIn = await fetch(demo.signIn, { redirect: "manual" });
        expect(signedIn.headers.get("location")).toBe("/_emdash/admin");
        expect(signedIn.headers.getSetCookie().join()).toMatch(/^astro-session=/);
        const again = await fetch(demo.signIn, { redirect: "manual" });
        expect(again.headers.get("location")).toBe("/_emdash/admin/login?error=invalid_link");

        // A process each, so it is this package's own engine in development too: the site has no miniflare.
        // Below npm and its shell.
        let site = demo.pid;
        while (workerdsOf(site).length === 0) {
          const [child = 0, ...others] = childrenOf(site);
          expect({ child: child > 0, others }).toEqual({ child: true, others: [] });
          site = child;
        }
        const workerds = workerdsOf(site);
        expect(workerds).toHaveLength(4);
        expect(existsSync(demo.folder)).toBe(true);

        demo.interrupt();
        // npm and its shell end by the signal, and the command when it has removed what it made.
        await demo.ended;
        await until(() => ![site, ...workerds].some(isAlive), "the site and its plugins have ended");
        expect(existsSync(demo.folder)).toBe(false);
        await expect(fetch(demo.url)).rejects.toThrow();
      },
    );
  },
);

async function startDemo(command: string) {
  // Vitest's own NODE_ENV is not what a shell has.
  const { NODE_ENV: _, ...env } = process.env;
  // A group of its own, as a terminal makes one: Ctrl-C reaches all of it.
  const child = spawn("sh", ["-c", command], { env, detached: true });
  running.add(child);
  let out = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
  }
  const ended = new Promise((resolve) => child.once("close", resolve));
  await until(() => out.includes("Ctrl-C ends it.") || child.exitCode !== null, "it has started", 100_000);
  const said = (pattern: RegExp) => {
    const found = pattern.exec(out)?.[1];
    if (found === undefined) throw new Error(`it did not say ${pattern}:\n${out}`);
    return found;
  };
  return {
    pid: child.pid ?? 0,
    url: said(/The site +(\S+)/),
    signIn: said(/Its admin +(\S+)/),
    folder: said(/Its data +([^\s,]+)/),
    ended,
    interrupt: () => process.kill(-(child.pid ?? 0), "SIGINT"),
  };
}
