/** Somebody else on the machine, or a plugin, who would like to be taken for the host or for a plugin's process. */
import { createServer } from "node:http";
import { afterEach, describe, expect, it, vi } from "vitest";
import "../support/tcp.js";
import { useConsole } from "../support/console.js";
import { fakeRunner } from "../support/fake.js";
import { knock, portsOf } from "../support/ports.js";
import { workerdsOf } from "../support/processes.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";

const printed = useConsole();
const site = useDatabase();
afterEach(() => vi.unstubAllEnvs());

const PING = routeOf("return 'pong'");
const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

describe("a plugin's port", () => {
  it.each([
    ["no key", {}],
    ["an empty key", { "x-emdash-sandbox-key": "" }],
    ["a key of the right length", { "x-emdash-sandbox-key": "A".repeat(43) }],
    ["a token", { "x-emdash-sandbox-token": "a.b" }],
  ])("opens to nobody with %s, and shows nobody its own secret", async (_what, headers) => {
    const plugin = await loadPlugin(makeRunner(), PING);
    expect(await ask(plugin)).toBe("pong");
    const [pid = 0] = workerdsOf(process.pid);
    const ports = portsOf(pid);
    expect(ports).toHaveLength(1);
    for (const port of ports) {
      for (const [path, more] of [
        ["/channel", UPGRADE],
        ["/door", {}],
        ["/frames/0", {}],
        ["/", {}],
      ] as const) {
        const method = path.startsWith("/frames") ? "POST" : "GET";
        const reply = await knock(port, path, { method, headers: { ...headers, ...more } });
        expect(reply, path).toMatchObject({ status: 404, body: "" });
        expect(Object.keys(reply.headers)).not.toContain("x-emdash-sandbox-proof");
      }
    }
    expect(await ask(plugin)).toBe("pong");
  });

  it("is one of this machine's own addresses only", async () => {
    await ask(await loadPlugin(makeRunner(), PING));
    const [pid = 0] = workerdsOf(process.pid);
    const elsewhere = portsOf(pid).map((port) => knockAt("127.0.0.2", port));
    for (const attempt of await Promise.all(elsewhere)) expect(attempt).toBe("ECONNREFUSED");
  });

  it("shows the plugin neither key, wherever it looks", async () => {
    const seen = await inPlugin(`
      const all = [globalThis, process.env, import.meta, input, request, ctx];
      const texts = [];
      for (const name of ["boot.js", "channel.js", "intrinsics.js", "gate.js"]) {
        try { texts.push(name, ...Object.keys(await import(name))); } catch (error) { texts.push(String(error.message)); }
      }
      return JSON.stringify(all.map((each) => Object.keys(each ?? {}))) + texts.join();`);
    expect(seen).not.toMatch(/KEY|PROOF|[\w-]{43}/);
    expect(seen).toContain("boot.js");
    expect(seen).not.toContain("gate.js,");
  });
});

describe("the backing server's port", () => {
  it.each([
    ["no token", () => ({})],
    ["no token at all in it", () => ({ "x-emdash-sandbox-token": "" })],
    [
      "a token that nobody signed",
      () => ({ "x-emdash-sandbox-token": `${"e30".repeat(20)}.${"A".repeat(43)}` }),
    ],
  ])("takes nothing with %s", async (_what, headers) => {
    const before = portsOf(process.pid);
    const plugin = await loadPlugin(makeRunner({ db: site.db }), PING);
    expect(await ask(plugin)).toBe("pong");
    const [port = 0, ...others] = portsOf(process.pid).filter((each) => !before.includes(each));
    expect(others).toEqual([]);
    for (const path of ["/frames", "/bytes", "/fetch", "/fetch/1"]) {
      const body = '{"answer":1,"value":"forged"}';
      const reply = await knock(port, path, { method: "POST", headers: headers(), body });
      expect(reply).toMatchObject({ status: 401, body: "no loaded plugin's process speaks here" });
    }
    expect(await ask(plugin)).toBe("pong");
  });
});

describe("a plugin that tells the host of a port", () => {
  it("directs it nowhere, because what tells it has a name that the plugin does not know", async () => {
    let visits = 0;
    const server = createServer((_, response) => {
      visits += 1;
      response.end();
    });
    server.on("upgrade", (_, socket) => {
      visits += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const forged = ["entry", "", "gate", "*"].map((socket) =>
      JSON.stringify({ event: "listen", socket, port }),
    );
    const code = `for (const line of ${JSON.stringify(forged)}) console.log(line);${PING}`;
    const plugin = await loadPlugin(makeRunner(), code);
    expect(await ask(plugin)).toBe("pong");
    server.close();
    expect(visits).toBe(0);
    // What it printed is what it printed.
    for (const line of forged)
      expect(
        printed.some((each) => each.line.includes(line)),
        line,
      ).toBe(true);
    expect(printed.filter(({ line }) => /"socket":"[\w-]{43}"/.test(line))).toEqual([]);
  });

  it("is served all the same when it prints much before it can be", async () => {
    const code = `for (let n = 0; n < 3000; n += 1) console.log('{"event":"listen","socket":"' + n + '","port":1}');${PING}`;
    expect(await ask(await loadPlugin(makeRunner(), code))).toBe("pong");
  });
});

describe("somebody at a plugin's port who can't show its secret", () => {
  it.each(["nothing", "the-hosts-own-key", "a-guess"])("is sent nothing, with %s", async (shows) => {
    const plugin = await loadPlugin(fakeRunner("impostor.mjs", { SHOWS: shows }), PING);
    await expect(ask(plugin)).rejects.toThrow("another process answers at its port");
    expect(printed.some(({ line }) => line.includes("was sent a frame"))).toBe(false);
  });
});

function knockAt(host: string, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    import("node:net").then(({ connect }) => {
      const socket = connect({ host, port });
      socket.on("connect", () => {
        socket.destroy();
        resolve("connected");
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    });
  });
}
