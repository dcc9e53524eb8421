// Starts the example site on this machine's loopback, built or in development, in a folder that holds its data.
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { resolve } from "node:path";
import process from "node:process";
import { run } from "./run.mjs";
import { astro, SITE, siteNode } from "./site.mjs";

/**
 * @typedef {object} SiteServer
 * @property {string} url such as `http://localhost:41234`
 * @property {number} pid
 * @property {() => string} log what it has written so far
 * @property {Promise<void>} ended
 * @property {(signal?: NodeJS.Signals) => Promise<void>} stop ends it, and answers when it has ended
 */

/**
 * @typedef {object} SiteOptions
 * @property {string} folder where its data lies
 * @property {number} [port]
 * @property {boolean} [isDevelopment] `astro dev`, and not the built server
 * @property {NodeJS.ProcessEnv} [env]
 * @property {boolean} [show] its log on standard error
 * @property {AbortSignal} [signal] ends it
 * @property {string} [preload] a module to load first, in place of the one that hides this repository's packages
 * @property {string} [site] the folder of another site than the example
 */

/** Astro asks and tells nobody outside of this machine. */
const QUIET = { ASTRO_TELEMETRY_DISABLED: "1", ASTRO_DISABLE_UPDATE_CHECK: "true", NO_COLOR: "1" };

const ALONE = resolve("scripts/alone.mjs");

/**
 * Answers when it listens; nothing is loaded before the first request.
 *
 * @param {SiteOptions} options
 * @returns {Promise<SiteServer>}
 */
export async function startSite({
  folder,
  port,
  isDevelopment = false,
  env,
  show = false,
  signal,
  preload = ALONE,
  site = SITE,
}) {
  signal?.throwIfAborted();
  const at = port ?? (await freePort());
  const url = `http://localhost:${at}`;
  const { command, args, environment } = isDevelopment ? developing(site, at) : built(site, at);
  const child = spawn(command, ["--import", preload, ...args], {
    cwd: folder,
    env: { ...environment, ...QUIET, EMDASH_SITE_URL: url, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      log += text;
      if (show) process.stderr.write(text);
    });
  }
  let hasEnded = false;
  /** @type {Promise<void>} */
  const ended = new Promise((end, fail) => {
    child.once("error", fail);
    child.once("close", () => {
      hasEnded = true;
      end();
    });
  });
  signal?.addEventListener("abort", () => child.kill("SIGTERM"));
  // Its line in the log does not always come: Astro's adapter may begin to wait for "listening" when that has been.
  while (!(await accepts(at))) {
    if (hasEnded) throw new Error(`the site ended before it listened:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    pid: child.pid ?? 0,
    log: () => log,
    ended,
    async stop(by = "SIGTERM") {
      child.kill(by);
      await ended;
    },
  };
}

/**
 * Fills the database that a site in `folder` will use. Answers with a link that signs its administrator in, once.
 *
 * @param {string} folder
 * @param {string} url
 * @param {string} [site]
 */
export async function seedSite(folder, url, site = SITE) {
  const { code, text } = await run(
    siteNode(site),
    ["--import", ALONE, resolve(site, "seed.mjs"), url],
    "capture",
    folder,
  );
  if (code !== 0) throw new Error(`seeding the site ended with code ${code}`);
  return text.trim();
}

/**
 * @param {string} site
 * @param {number} port
 */
function developing(site, port) {
  const { command, args } = astro("dev", site);
  // Astro says that this is development, unless something has said otherwise.
  const { NODE_ENV: _, ...environment } = process.env;
  return { command, args: [...args, "--host", "127.0.0.1", "--port", `${port}`], environment };
}

/**
 * @param {string} site
 * @param {number} port
 */
function built(site, port) {
  const environment = { ...process.env, NODE_ENV: "production", HOST: "127.0.0.1", PORT: `${port}` };
  return { command: siteNode(site), args: [resolve(site, "dist/server/entry.mjs")], environment };
}

/** The site must know its address before it listens: its cookies, its passkeys and its checks of origins hang on it. */
export function freePort() {
  const server = createServer();
  /** @type {Promise<number>} */
  const port = new Promise((answer, fail) => {
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => answer(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
  return port;
}

/**
 * @param {number} port
 * @returns {Promise<boolean>} whether somebody listens there
 */
function accepts(port) {
  return new Promise((answer) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => answer(false));
    socket.once("connect", () => {
      socket.destroy();
      answer(true);
    });
  });
}
