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
 * @property {() => Promise<void>} stop ends it, and answers when it has ended
 */

/** @typedef {{ folder: string, port?: number | undefined, isDevelopment?: boolean, server?: string, env?: NodeJS.ProcessEnv, show?: boolean, signal?: AbortSignal }} SiteOptions */

/** Astro asks and tells nobody outside of this machine. */
const QUIET = { ASTRO_TELEMETRY_DISABLED: "1", ASTRO_DISABLE_UPDATE_CHECK: "true", NO_COLOR: "1" };

const ALONE = ["--import", resolve("scripts/alone.mjs")];

/**
 * Answers when it listens; nothing is loaded before the first request.
 *
 * @param {SiteOptions} options `server` is the folder of another built server than the example's own; `signal`
 *   ends the site
 * @returns {Promise<SiteServer>}
 */
export async function startSite({ folder, port, isDevelopment = false, server, env, show = false, signal }) {
  signal?.throwIfAborted();
  const at = port ?? (await freePort());
  const url = `http://localhost:${at}`;
  const { command, args, environment } = isDevelopment ? developing(at) : built(at, server);
  const child = spawn(command, args, {
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
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/**
 * Fills the database that a site in `folder` will use. Answers with a link that signs its administrator in, once.
 *
 * @param {string} folder
 * @param {string} url
 */
export async function seedSite(folder, url) {
  const { code, text } = await run(siteNode(), [...ALONE, resolve(SITE, "seed.mjs"), url], "capture", folder);
  if (code !== 0) throw new Error(`seeding the site ended with code ${code}`);
  return text.trim();
}

/** @param {number} port */
function developing(port) {
  const { command, args } = astro("dev");
  // Astro says that this is development, unless something has said otherwise.
  const { NODE_ENV: _, ...environment } = process.env;
  return { command, args: [...ALONE, ...args, "--host", "127.0.0.1", "--port", `${port}`], environment };
}

/**
 * @param {number} port
 * @param {string} [server]
 */
function built(port, server = resolve(SITE, "dist/server")) {
  const environment = { ...process.env, NODE_ENV: "production", HOST: "127.0.0.1", PORT: `${port}` };
  return { command: siteNode(), args: [...ALONE, resolve(server, "entry.mjs")], environment };
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
