/** A plugin has no network: whatever it tries, nothing arrives at a listener on this machine. */

import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useConsole } from "./support/console.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf } from "./support/runner.js";

useConsole();

let server: Server;
let port: number;
let connections = 0;
beforeAll(async () => {
  server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** What an attempt in a plugin came to: an error's text, or what it got. `input` is the listener's port. */
async function attempt(body: string, imports = ""): Promise<string> {
  const plugin = await loadPlugin(
    makeRunner(),
    `${imports}\n${routeOf(`
      const deadline = new Promise((resolve) => setTimeout(resolve, 2000, "nothing happened"));
      const tried = (async () => { ${body} })().then((got) => "got " + got, (error) => "error: " + error.message);
      return Promise.race([tried, deadline]);`)}`,
  );
  return String(await ask(plugin, port));
}

const OWN_WORDS = "a plugin has no network of its own: use ctx.http.fetch, and declare network:request";

describe("plain fetch", () => {
  it.each([
    ["with a text", "fetch('http://127.0.0.1:' + input)"],
    ["with a Request", "fetch(new Request('http://127.0.0.1:' + input, { method: 'POST', body: 'secret' }))"],
    ["of https", "fetch('https://127.0.0.1:' + input)"],
    ["of a name", "fetch('https://example.com/')"],
    ["of the guest's own channel", "fetch('http://plugin/channel', { headers: { upgrade: 'websocket' } })"],
    ["of a frame", "fetch('http://plugin/frames/1')"],
  ])("%s says what to use instead", async (_how, call) => {
    expect(await attempt(`return (await ${call}).status`)).toBe(`error: ${OWN_WORDS}`);
    expect(connections).toBe(0);
  });
});

it("cloudflare:sockets says what to use instead", async () => {
  const imports = `import { connect } from "cloudflare:sockets";`;
  expect(await attempt("connect({ hostname: '127.0.0.1', port: input })", imports)).toBe(
    `error: ${OWN_WORDS}`,
  );
  expect(
    await attempt("const { connect } = await import('cloudflare:sockets'); connect('127.0.0.1:' + input)"),
  ).toBe(`error: ${OWN_WORDS}`);
  expect(connections).toBe(0);
});

describe("what else could open a connection reaches nothing", () => {
  const opened =
    "new Promise((resolve, reject) => { it.onopen = () => resolve('open'); it.onerror = (e) => reject(e.error ?? new Error('failed')); })";
  const socket =
    "new Promise((resolve, reject) => { it.on('connect', () => resolve('connected')); it.on('error', reject); })";
  it.each<[what: string, body: string, imports: string]>([
    ["WebSocket", `const it = new WebSocket("ws://127.0.0.1:" + input); return ${opened}`, ""],
    ["EventSource", `const it = new EventSource("http://127.0.0.1:" + input); return ${opened}`, ""],
    [
      "node:net",
      `const it = connect(input, "127.0.0.1"); return ${socket}`,
      `import { connect } from "node:net";`,
    ],
    [
      "node:tls",
      `const it = connect(input, "127.0.0.1"); return ${socket}`,
      `import { connect } from "node:tls";`,
    ],
    [
      "node:http",
      `return new Promise((resolve, reject) => get("http://127.0.0.1:" + input, (r) => resolve(r.statusCode)).on("error", reject))`,
      `import { get } from "node:http";`,
    ],
    [
      "node:dns",
      `return (await resolve4("localhost")).join()`,
      `import { resolve4 } from "node:dns/promises";`,
    ],
    [
      "node:dgram",
      `createSocket("udp4").send("x", input, "127.0.0.1"); return "sent"`,
      `import { createSocket } from "node:dgram";`,
    ],
    [
      "node:child_process",
      `return execSync("id").toString()`,
      `import { execSync } from "node:child_process";`,
    ],
  ])("%s", async (_what, body, imports) => {
    const outcome = await attempt(body, imports).catch((error: Error) => `error: ${error.message}`);
    expect(outcome).not.toMatch(/^got /);
    expect(connections).toBe(0);
  });
});

describe("the host's secrets", () => {
  it("are not in process.env, nor in an env that can be imported", async () => {
    const body = `const { env } = await import("cloudflare:workers");
      return [Object.keys(process.env), Object.keys(env), Object.keys((await import("node:process")).env)]`;
    expect(await inPlugin(body)).toEqual([[], [], []]);
  });

  it("are not on a disk that node:fs shows: there is no such module", async () => {
    const body = `const { readFileSync } = await import("node:fs"); return readFileSync("/etc/passwd", "utf8")`;
    await expect(inPlugin(body)).rejects.toThrow(`No such module "node:fs"`);
  });
});

it.each([
  ["eval", `eval("1 + 1")`],
  ["new Function", `new Function("return 1")()`],
  ["the constructor of a function", `(async () => {}).constructor("return 1")()`],
  [
    "a timer's text",
    `new Promise((resolve, reject) => { globalThis.ran = resolve; try { setTimeout("ran(1)", 0) } catch (error) { reject(error) } })`,
  ],
  ["a module from a text", `import("data:text/javascript,export default 1")`],
  ["WebAssembly from bytes", `WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))`],
])("%s runs no code that was not in the plugin", async (_what, expression) => {
  expect(await attempt(`await ${expression}; return "ran"`)).not.toBe("got ran");
});
