// What 5 MB cost on the way in and out, ours and the peer's in turn: `node bench/egress.mjs`, after a build. Medians of
// the times, and the CPU that Node's process takes for each. The origin runs in a process of its own.

import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { peerRunner, unpackPeer } from "./lib/peer.mjs";

const SIZE = 5_000_000;
const ROUNDS = 15;

async function compare() {
  const { LibsqlDialect } = await import("@libsql/kysely-libsql");
  const { runMigrations } = await import("emdash/db");
  const { Kysely } = await import("kysely");
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-bench-"));
  const db = new Kysely({ dialect: new LibsqlDialect({ url: `file:${join(folder, "site.db")}` }) });
  const origin = fork(fileURLToPath(new URL("./lib/origin.mjs", import.meta.url)));
  const port = await new Promise((resolve) => origin.once("message", resolve));
  const url = `http://127.0.0.1:${port}/`;
  const unpacked = await unpackPeer();
  try {
    await runMigrations(db);
    process.env.EMDASH_SANDBOX_PRIVATE_HOSTS = "127.0.0.1";
    const mediaStorage = { upload: async () => ({}), delete: async () => {} };
    const options = { db, mediaStorage, siteInfo: { name: "Bench", url: "https://b.example", locale: "en" } };
    const { createSandboxRunner } = await import("emdash-sandbox-native/sandbox");
    const peer = await peerRunner(unpacked.entry, options, 4);
    const runners = { ours: createSandboxRunner(options), peer: peer.runner };
    const plugins = {};
    for (const [name, runner] of Object.entries(runners)) plugins[name] = await runner.load(MANIFEST, CODE);
    console.log(
      `${"".padEnd(26)}${"".padEnd(8)}${"p50".padStart(10)}${"max".padStart(10)}${"CPU of Node".padStart(14)}`,
    );
    for (const [what, route] of Object.entries(ROUTES)) {
      const taken = { ours: [], peer: [] };
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [name, plugin] of Object.entries(plugins))
          taken[name].push(await time(plugin, route, url));
      }
      for (const [name, all] of Object.entries(taken)) report(what, name, all.slice(2));
    }
    await Promise.all([runners.ours.terminateAll(), peer.close()]);
  } finally {
    await unpacked.remove();
    origin.kill();
    await db.destroy();
    await rm(folder, { recursive: true });
  }
  // The peer leaves what keeps Node alive.
  process.exit();
}

const ROUTES = {
  "upload 5 MB": "upload",
  "fetch 5 MB": "fetch",
  "send 5 MB": "send",
  "fetch 5 bytes": "small",
};

const CODE = `export default { routes: {
  upload: (_, ctx) => ctx.media.upload("f.mp4", "video/mp4", new Uint8Array(${SIZE}).fill(7)),
  fetch: async ({ input }, ctx) => (await (await ctx.http.fetch(input + "large")).arrayBuffer()).byteLength,
  send: async ({ input }, ctx) => (await ctx.http.fetch(input, { method: "POST", body: new Uint8Array(${SIZE}) })).text(),
  small: async ({ input }, ctx) => (await ctx.http.fetch(input)).text(),
} };`;

const MANIFEST = {
  id: "bench",
  version: "1.0.0",
  capabilities: ["write:media", "network:fetch"],
  allowedHosts: ["127.0.0.1"],
  storage: {},
  hooks: [],
  routes: [],
  admin: {},
};

async function time(plugin, route, url) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await plugin.invokeRoute(route, url, { url, method: "POST", headers: {}, meta: {} });
  const { user, system } = process.cpuUsage(cpu);
  return { time: performance.now() - start, cpu: (user + system) / 1000 };
}

function report(what, name, all) {
  const median = (of) => all.map(of).toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
  const cells = [
    median(({ time }) => time),
    Math.max(...all.map(({ time }) => time)),
    median(({ cpu }) => cpu),
  ].map((ms) => `${ms.toFixed(1)} ms`);
  console.log(
    what.padEnd(26) + name.padEnd(8) + cells.map((cell, at) => cell.padStart(at === 2 ? 14 : 10)).join(""),
  );
}

// Last, when all of the above stands.
await compare();
