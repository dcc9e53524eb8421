/** `ctx.http.fetch` as a plugin uses it: all that it may send, and a real `Response` back. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useConsole } from "../support/console.js";
import { echo, type Handler, useOrigin } from "../support/origin.js";
import { ask, inPlugin, isProduction, loadPlugin, makeRunner } from "../support/runner.js";
import { until } from "../support/until.js";

useConsole();

const TEXT = "coded and decoded again, ".repeat(1000);
const CODED: Record<string, [coding: string, bytes: Buffer]> = {
  "/gzip": ["gzip", gzipSync(TEXT)],
  "/members": ["gzip", Buffer.concat([gzipSync(TEXT.slice(0, 99)), gzipSync(TEXT.slice(99))])],
  "/deflate": ["deflate", deflateSync(TEXT)],
  "/raw": ["deflate", deflateRawSync(TEXT)],
  "/br": ["br", brotliCompressSync(TEXT)],
  "/both": ["gzip, br", brotliCompressSync(gzipSync(TEXT))],
};

const handler: Handler = (request, response, body): unknown => {
  const path = request.url ?? "";
  const coded = CODED[path];
  if (coded) return response.setHeader("content-encoding", coded[0]).end(coded[1]);
  if (path === "/unknown") return response.setHeader("content-encoding", "zstd").end("as it is");
  if (path === "/cookies") return response.setHeader("set-cookie", ["a=1; Path=/", "b=2, c"]).end();
  if (path.startsWith("/status/")) return response.writeHead(Number(path.slice(8)), "Its own words").end();
  if (path === "/stream") {
    response.write("one ");
    return setImmediate(() => response.end("two"));
  }
  if (path === "/never") return undefined;
  if (path.startsWith("/head/")) return response.setHeader("x-long", "é".repeat(Number(path.slice(6)))).end();
  if (path === "/bytes") return response.end(Buffer.from([0, 255, 128, 10]));
  if (path === "/large")
    return response.setHeader("content-length", 5_000_000).end(Buffer.alloc(5_000_000, 7));
  if (path === "/to-echo") return response.writeHead(302, { location: "/echo#there" }).end();
  return echo(request, response, body);
};
const origin = useOrigin(handler);
const sixth = useOrigin(handler, "::1");

const manifest = { capabilities: ["network:request"], allowedHosts: ["127.0.0.1", "[::1]"] };

function fetching(body: string, input: Record<string, unknown> = {}): Promise<unknown> {
  return inPlugin(`const { origin } = input; ${body}`, { manifest, input: { origin: origin.url, ...input } });
}

interface Echo {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

describe("what is sent", () => {
  it("is the method, the path, the headers and nothing of the host's own", async () => {
    const seen = (await fetching(`return (await ctx.http.fetch(origin + "/a%20b?q=1#part", {
      method: "PATCH", headers: { "X-Own": "é", Authorization: "mine" } })).json()`)) as Echo;
    expect(seen).toMatchObject({ method: "PATCH", url: "/a%20b?q=1", body: "" });
    const { host, "user-agent": agent, ...rest } = seen.headers;
    expect(`http://${host}`).toBe(origin.url);
    expect(agent).toMatch(/^emdash-sandbox-native\//);
    expect(rest).toEqual({
      accept: "*/*",
      "accept-encoding": "gzip, deflate, br",
      "accept-language": "*",
      authorization: "mine",
      "x-own": "é",
    });
  });

  it.each<[what: string, init: string, body: string, headers: Record<string, unknown>]>([
    [
      "text",
      `{ body: "tëxt" }`,
      "t\xc3\xabxt",
      { "content-type": "text/plain;charset=UTF-8", "content-length": "5" },
    ],
    ["no text", `{ body: "" }`, "", { "content-length": "0" }],
    ["bytes", `{ body: new Uint8Array([0, 200, 255]) }`, "\x00\xc8\xff", { "content-length": "3" }],
    ["a buffer", `{ body: new Uint8Array([1, 2]).buffer }`, "\x01\x02", { "content-length": "2" }],
    [
      "a window of bytes",
      `{ body: new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2) }`,
      "\x02\x03",
      {},
    ],
    [
      "a blob",
      `{ body: new Blob(["b"], { type: "x/y" }) }`,
      "b",
      { "content-type": "x/y", "content-length": "1" },
    ],
    [
      "parameters",
      `{ body: new URLSearchParams({ a: "1 2" }) }`,
      "a=1+2",
      { "content-type": "application/x-www-form-urlencoded;charset=UTF-8" },
    ],
    [
      "an object, as JSON",
      `{ body: { a: [1] } }`,
      `{"a":[1]}`,
      { "content-type": "text/plain;charset=UTF-8" },
    ],
    [
      "its own type",
      `{ body: "{}", headers: { "Content-Type": "application/json" } }`,
      "{}",
      { "content-type": "application/json" },
    ],
    [
      "a stream",
      `{ body: new ReadableStream({ start(c) { c.enqueue(new Uint8Array([65])); c.enqueue(new Uint8Array([66])); c.close(); } }) }`,
      "AB",
      // The development runner sends it in one piece.
      isProduction() ? { "transfer-encoding": "chunked" } : { "content-length": "2" },
    ],
    [
      "a stream of a known length",
      `{ body: new Response("known").body.pipeThrough(new FixedLengthStream(5)) }`,
      "known",
      { "content-length": "5" },
    ],
  ])("is %s", async (_what, init, body, headers) => {
    const seen = (await fetching(
      `return (await ctx.http.fetch(origin, { method: "POST", ...${init} })).json()`,
    )) as Echo;
    expect(seen.body).toBe(body);
    expect(seen.headers).toMatchObject(headers);
  });

  it("is a form with its files", async () => {
    const seen = (await fetching(`const form = new FormData(); form.append("a", "1");
      form.append("f", new File([new Uint8Array([0, 255])], "f.bin", { type: "x/y" }));
      return (await ctx.http.fetch(origin, { method: "POST", body: form })).json()`)) as Echo;
    const boundary = /^multipart\/form-data; ?boundary="?([^"]+)"?$/.exec(
      seen.headers["content-type"] ?? "",
    )?.[1];
    expect(seen.body.split(`--${boundary}`)).toHaveLength(4);
    expect(seen.body).toMatch(/name="f"; filename="f.bin"\r\ncontent-type: x\/y\r\n\r\n\0\xff\r\n/i);
  });

  it("is a Request, and what init says goes before it", async () => {
    const seen =
      (await fetching(`const own = new Request(origin + "/r", { method: "PUT", body: "of the request", headers: { "x-a": "1" } });
      return (await ctx.http.fetch(own, { headers: { "x-b": "2" } })).json()`)) as Echo;
    expect(seen).toMatchObject({ method: "PUT", url: "/r", body: "of the request" });
    expect(seen.headers).toMatchObject({ "x-b": "2" });
    expect(seen.headers["x-a"]).toBeUndefined();
  });

  it("is headers of every form, twice if need be, but for the connection's own", async () => {
    const body = `const list = [["x-a", "1"], ["X-A", "2"], ["host", "evil.example"], ["content-length", "99"], ["transfer-encoding", "chunked"]];
      const seen = [];
      for (const headers of [list, new Headers(list), { "x-a": "1, 2", host: "evil.example" }]) {
        seen.push((await (await ctx.http.fetch(new URL(origin), { headers })).json()).headers);
      }
      return seen`;
    for (const headers of (await fetching(body)) as Echo["headers"][]) {
      expect(headers).toMatchObject({ "x-a": "1, 2", host: new URL(origin.url).host });
      expect(headers).not.toHaveProperty("content-length");
      expect(headers).not.toHaveProperty("transfer-encoding");
    }
  });
});

describe("what comes back", () => {
  it("is a Response with its status, words, headers and cookies", async () => {
    const body = `const r = await ctx.http.fetch(origin + "/status/418"); const c = await ctx.http.fetch(origin + "/cookies");
      return [r instanceof Response, r.status, r.statusText, r.ok, r.url, r.redirected, r.headers.get("date") !== null, c.headers.getSetCookie()]`;
    expect(await fetching(body)).toEqual([
      true,
      418,
      "Its own words",
      false,
      `${origin.url}/status/418`,
      false,
      true,
      ["a=1; Path=/", "b=2, c"],
    ]);
  });

  it.each([204, 205, 304])("has no body with status %d", async (status) => {
    const body = `const r = await ctx.http.fetch(origin + "/status/${status}"); return [r.status, r.body, await r.text()]`;
    expect(await fetching(body)).toEqual([status, null, ""]);
  });

  it("has a url and redirected, also after a clone", async () => {
    const body = `const r = await ctx.http.fetch(origin + "/to-echo"); const c = r.clone(); const d = c.clone();
      return [r, c, d].map((r) => [r.url, r.redirected]).concat([await r.text() === await c.text(), (await d.json()).url])`;
    const there = [`${origin.url}/echo`, true];
    expect(await fetching(body)).toEqual([there, there, there, true, "/echo"]);
  });

  it("is read in every way", async () => {
    const body = `const get = (path) => ctx.http.fetch(origin + path);
      const whole = [...new Uint8Array(await (await get("/bytes")).arrayBuffer())];
      const blob = await (await get("/bytes")).blob();
      const pieces = []; for await (const piece of (await get("/stream")).body) pieces.push(new TextDecoder().decode(piece));
      const byob = (await get("/bytes")).body.getReader({ mode: "byob" });
      const first = await byob.read(new Uint8Array(2)); const second = await byob.read(new Uint8Array(9)); const last = await byob.read(new Uint8Array(9));
      return [whole, blob.size, [...new Uint8Array(await blob.arrayBuffer())], pieces.join("|"), [...first.value], [...second.value], last.done]`;
    const [whole, size, blob, pieces, first, second, done] = (await fetching(body)) as unknown[];
    expect([whole, size, blob]).toEqual([[0, 255, 128, 10], 4, [0, 255, 128, 10]]);
    expect(String(pieces).replaceAll("|", "")).toBe("one two");
    expect([first, second, done]).toEqual([[0, 255], [128, 10], true]);
  });

  it("is a HEAD's headers, and no body", async () => {
    expect(
      await fetching(
        `const r = await ctx.http.fetch(origin + "/large", { method: "HEAD" }); return [r.headers.get("content-length"), await r.text()]`,
      ),
    ).toEqual(["5000000", ""]);
  });

  it.each(Object.keys(CODED))("is decoded: %s", async (path) => {
    const [same, coding] = (await fetching(
      `const r = await ctx.http.fetch(origin + input.path); return [await r.text() === input.text, r.headers.get("content-encoding")]`,
      { path, text: TEXT },
    )) as [boolean, string];
    expect([same, coding]).toEqual([true, CODED[path]?.[0]]);
  });

  it("is left alone when nobody knows its coding", async () => {
    expect(await fetching(`return (await ctx.http.fetch(origin + "/unknown")).text()`)).toBe("as it is");
  });

  it("is 5 MB, twenty times at once, of which sixteen connect at a time", async () => {
    const body = `const sizes = await Promise.all(Array.from({ length: 20 }, async () =>
      (await (await ctx.http.fetch(origin + "/large")).arrayBuffer()).byteLength)); return sizes.every((size) => size === 5_000_000)`;
    // A hundred megabytes, and what is made of them on the way: the limits are not what is tested here.
    const runner = makeRunner({ limits: { memoryMb: 512, cpuMs: 20_000 } });
    expect(
      await inPlugin(`const { origin } = input; ${body}`, {
        runner,
        manifest,
        input: { origin: origin.url },
      }),
    ).toBe(true);
  });

  it("comes over IPv6, too", async () => {
    expect(await fetching(`return (await ctx.http.fetch(input.sixth)).status`, { sixth: sixth.url })).toBe(
      200,
    );
  });
});

it("long heads come, whatever they are made of, and what is too long to be sent is refused in words", async () => {
  const body = `
    const text = (init) => ctx.http.fetch(input, init).then((r) => r.headers.get("x-long"), (error) => error.message);
    return [await text({}), await text({ headers: { long: "%".repeat(90_000) } })]`;
  // miniflare's own server takes heads as long as Node's.
  const length = isProduction() ? 60_000 : 1000;
  expect(await inPlugin(body, { manifest, input: `${origin.url}/head/${length}` })).toEqual([
    "é".repeat(length),
    `Bridge call http/fetch failed: {"error":"fetch failed: its URL and headers are too long to be sent"}`,
  ]);
});

describe("a proxy of the host's environment", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is not used: it would be asked to connect to what nobody has classified", async () => {
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) {
      // Nobody listens there.
      vi.stubEnv(name, "http://127.0.0.1:9");
      vi.stubEnv(name.toLowerCase(), "http://127.0.0.1:9");
    }
    vi.stubEnv("NO_PROXY", "");
    expect(
      await inPlugin("return (await ctx.http.fetch(input)).status", {
        manifest,
        input: `${origin.url}/bytes`,
      }),
    ).toBe(200);
  });
});

it("the end of its invocation's time ends the connection to its origin", async () => {
  const plugin = await loadPlugin(
    makeRunner({ limits: { wallTimeMs: 1500 } }),
    "export default { routes: { run: async ({ input }, ctx) => { await ctx.http.fetch(input); } } };",
    manifest,
  );
  await expect(ask(plugin, `${origin.url}/never`)).rejects.toThrow("1500");
  await until(() => origin.open === 0, "the origin has no connection any more");
});
