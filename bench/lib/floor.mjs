// The floor: one bare workerd that echoes what comes over one WebSocket on a Unix socket. No runner can be faster than
// this, since each must get a message into a workerd and an answer out of it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import WebSocket from "ws";
import { WORKERD } from "./peer.mjs";

const WORKER = `export default { fetch() {
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  server.addEventListener("message", ({ data }) => server.send(data));
  return new Response(null, { status: 101, webSocket: client });
} };`;

export async function startFloor() {
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-floor-"));
  const socket = join(folder, "s");
  await writeFile(join(folder, "worker.js"), WORKER);
  await writeFile(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "echo", worker = (modules = [(name = "w", esModule = embed "worker.js")], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "unix:${socket}", http = (), service = "echo")]);`,
  );
  const workerd = spawn("setpriv", ["--pdeathsig", "KILL", "--", WORKERD, "serve", "config.capnp"], {
    cwd: folder,
    stdio: "ignore",
  });
  const client = await connected(socket);
  // Answers come in the order of the questions.
  const waiting = [];
  client.on("message", (data) => waiting.shift()(data));
  return {
    name: "floor",
    echo: (text) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        client.send(text);
      }),
    workerds: () => [workerd.pid],
    async close() {
      client.terminate();
      process.kill(workerd.pid, "SIGKILL");
      await once(workerd, "exit");
      await rm(folder, { recursive: true });
    },
  };
}

async function connected(socket) {
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    const client = new WebSocket(`ws+unix:${socket}:/`, { perMessageDeflate: false });
    const opened = await new Promise((resolve) => {
      client.once("open", () => resolve(true));
      client.once("error", () => resolve(false));
    });
    if (opened) return client;
    await pause(2);
  }
  throw new Error("workerd does not listen: can it be started by hand?");
}
