/** When a fetch ends before its answer does: the origin sees it, and the plugin hears why. */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { openPrivateHosts } from "../support/origin.js";
import { ask, inPlugin, isOnPorts, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

useConsole();

/** Answers by path: with nothing, with all, with a piece and then nothing, or with more than there may be. Tells of each end. */
let server: Server;
let url: string;
const ends: string[] = [];
const waiting: { text: string; tell: () => void }[] = [];

function note(text: string): void {
  ends.push(text);
  for (const waiter of waiting.filter((waiter) => waiter.text === text)) waiter.tell();
}

/** Resolves when the origin has noted it. */
function noted(text: string): Promise<void> {
  return ends.includes(text) ? Promise.resolve() : new Promise((tell) => waiting.push({ text, tell }));
}

beforeAll(async () => {
  openPrivateHosts();
  server = createServer((socket: Socket) => {
    let name: string | undefined;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      if (name !== undefined) return;
      const [, kind, id] = /^\w+ \/(\w+)\/(\w+)/.exec(data.toString("latin1")) ?? [];
      name = id;
      if (kind === "piece") socket.write("HTTP/1.1 200 OK\r\n\r\npiece");
      if (kind === "whole") socket.end(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(2 ** 18)}`);
      if (kind === "large") socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      if (kind === "large") pump(socket);
      note(`came ${name}`);
    });
    socket.on("close", () => note(`went ${name}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const MEGABYTE = "100000\r\n".concat("x".repeat(2 ** 20), "\r\n");
function pump(socket: Socket): void {
  while (!socket.destroyed && socket.write(MEGABYTE));
  socket.once("drain", () => pump(socket));
}

const manifest = { capabilities: ["network:request"], allowedHosts: ["127.0.0.1"] };
const ERROR =
  "const text = (promise) => promise.then(() => 'it came', (error) => error.name + ': ' + error.message);";

it.each([
  ["before its head", "none", ""],
  ["while its body is read", "piece", ".then((r) => r.text())"],
])("an AbortSignal ends it %s, with the plugin's own reason", async (_when, kind, read) => {
  const id = `abort${kind}`;
  const plugin = await loadPlugin(
    makeRunner(),
    `${ERROR} const abort = new AbortController(); export default { routes: {
      run: ({ input }, ctx) => text(ctx.http.fetch(input, { signal: abort.signal })${read}),
      abort: () => { abort.abort(); return "aborted"; } } };`,
    manifest,
  );
  const running = ask(plugin, `${url}/${kind}/${id}`);
  await noted(`came ${id}`);
  await ask(plugin, null, "abort");
  expect(await running).toMatch(/^AbortError: /);
  await noted(`went ${id}`);
});

it("a signal that was aborted before sends nothing", async () => {
  const body = `${ERROR} return text(ctx.http.fetch(input, { signal: AbortSignal.abort(new Error("never mind")) }))`;
  expect(await inPlugin(body, { manifest, input: `${url}/none/never` })).toMatch(/never mind/);
  expect(ends).not.toContain("came never");
});

it("the end of the invocation's time ends it, and later ones do not begin", async () => {
  const runner = makeRunner({ limits: { wallTimeMs: 1500 } });
  const plugin = await loadPlugin(
    runner,
    `${ERROR} let kept; export default { routes: {
      async run({ input }, ctx) { kept = text(ctx.http.fetch(input + "/piece/wall").then((r) => r.text())).then(async (first) =>
        [first, await text(ctx.http.fetch(input + "/none/late"))]); await kept; },
      kept: () => kept } };`,
    manifest,
  );
  await expect(ask(plugin, url)).rejects.toThrow("1500");
  await noted("went wall");
  const over = `Error: Bridge call http/fetch failed: {"error":"the hook or route that made this call is over"}`;
  expect(await ask(plugin, null, "kept")).toEqual([over, over]);
  expect(ends).not.toContain("came late");
});

it("unloading the plugin ends what its calls left behind", async () => {
  const code = routeOf(`ctx.http.fetch(input).catch(() => {}); return "gone on"`);
  const plugin = await loadPlugin(makeRunner(), code, manifest);
  expect(await ask(plugin, `${url}/none/unload`)).toBe("gone on");
  await noted("came unload");
  await plugin.terminate();
  await noted("went unload");
});

it("the end of the invocation's time ends a body that nobody reads, and gives its place back", async () => {
  const runner = makeRunner({ limits: { wallTimeMs: 1500 } });
  const plugin = await loadPlugin(
    runner,
    `${ERROR} let kept; export default { routes: {
      run: async ({ input }, ctx) => { kept = await Promise.all(input.map((url) => ctx.http.fetch(url))); return kept.map((r) => r.status); },
      read: () => text(kept[0].arrayBuffer()) } };`,
    manifest,
  );
  // As many as may connect at once, so that another fetch waits for the end of one of them.
  const names = Array.from({ length: 16 }, (_, at) => `unread${at}`);
  const urls = names.map((name) => `${url}/large/${name}`);
  expect(await ask(plugin, urls)).toEqual(Array(16).fill(200));
  await Promise.all(names.map((name) => noted(`went ${name}`)));
  expect(await ask(plugin, null, "read")).toBe(
    `Error: Bridge call http/fetch failed: {"error":"the hook or route that made this call is over"}`,
  );
  expect(await ask(plugin, [`${url}/piece/next`])).toEqual([200]);
});

it("a plugin that reads no answer may fetch as often as it may call: the oldest ones make way", async () => {
  const runner = makeRunner({ limits: { cpuMs: 20_000 } });
  const plugin = await loadPlugin(
    runner,
    `${ERROR} let first; export default { routes: {
      run: async ({ input }, ctx) => { first = await ctx.http.fetch(input);
        for (let at = 0; at < 300; at += 1) await ctx.http.fetch(input); },
      last: async ({ input }, ctx) => (await (await ctx.http.fetch(input)).arrayBuffer()).byteLength,
      first: () => text(first.arrayBuffer()) } };`,
    manifest,
  );
  await ask(plugin, `${url}/whole/unread`);
  expect(await ask(plugin, `${url}/whole/last`, "last")).toBe(2 ** 18);
  // A port's buffers hold the whole of it, so that nothing of it waits to be read.
  const told = isOnPorts() ? "it came" : "too many answers were left unread before this one was";
  expect(await ask(plugin, null, "first")).toContain(told);
});

it("a plugin that cancels the body leaves the origin", async () => {
  const body = `const r = await ctx.http.fetch(input); await r.body.cancel(); return r.status`;
  expect(await inPlugin(body, { manifest, input: `${url}/piece/cancel` })).toBe(200);
  await noted("went cancel");
});

it("a body past the cap fails with the cap's name while it is read, and the origin is left", async () => {
  const body = `${ERROR} const r = await ctx.http.fetch(input); return [r.status, await text(r.arrayBuffer())]`;
  expect(await inPlugin(body, { manifest, input: `${url}/large/cap` })).toEqual([
    200,
    `Error: Bridge call http/fetch failed: {"error":"The body of a response may have at most 8 MiB when decoded"}`,
  ]);
  await noted("went cap");
});

it.each([
  ["bytes", "new Uint8Array(9 * 2 ** 20)"],
  ["a stream", "new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(2 ** 20)); } })"],
])(
  "a request of %s past the cap is refused by its name, though it is still being sent",
  async (_what, sent) => {
    const body = `${ERROR} return text(ctx.http.fetch(input, { method: "POST", body: ${sent} }))`;
    expect(await inPlugin(body, { manifest, input: `${url}/none/large` })).toBe(
      `Error: Bridge call http/fetch failed: {"error":"The body of a request may have at most 8 MiB"}`,
    );
  },
);
