/**
 * The same fetches by the same plugin to the same origin: in the peer, in ours, and as a trusted plugin of EmDash makes
 * them, with its own `createHttpAccess`.
 */
import { createHttpAccess } from "emdash";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { WorkerdSandboxRunner } from "../../host/runner.js";
import { temporaryDatabase } from "../support/database.js";
import { type Handler, useOrigin } from "../support/origin.js";
import { startPeer } from "../support/peer.js";
import { manifestOf, REQUEST } from "../support/runner.js";

/** Answers with what it saw, but for what each client says of itself. */
const handler: Handler = (request, response, body) => {
  const path = request.url ?? "";
  const [, status] = /^\/status\/(\d+)/.exec(path) ?? [];
  if (status) return response.writeHead(Number(status), { "x-path": path, location: "/echo" }).end();
  const [, left] = /^\/hops\/(\d+)/.exec(path) ?? [];
  if (left)
    return response.writeHead(302, { location: left === "0" ? "/echo" : `/hops/${Number(left) - 1}` }).end();
  if (path === "/cookies") return response.setHeader("set-cookie", ["a=1", "b=2"]).end("c");
  if (path === "/nowhere") return response.writeHead(302).end("no location");
  if (path === "/elsewhere") return response.writeHead(302, { location: "http://other.example/" }).end();
  if (path === "/bad-location") return response.writeHead(302, { location: "http://[" }).end();
  if (path === "/broken") return response.destroy();
  const { method, headers } = request;
  const {
    host: _,
    connection: _c,
    "user-agent": _u,
    "accept-encoding": _a,
    "sec-fetch-mode": _s,
    ...sent
  } = headers;
  return response.end(
    JSON.stringify({
      method,
      path,
      sent: Object.fromEntries(Object.entries(sent).sort()),
      body: body.toString("latin1"),
    }),
  );
};
const origin = useOrigin(handler);

interface Fetched {
  value?: {
    status: number;
    text: string;
    headers: Record<string, string | null>;
    url: string;
    redirected: boolean;
  };
  error?: string;
}

/** `fetch` and the origin's address, to what came of it. It runs in plugins, and here. */
const CASES: Record<string, string> = {
  "a plain GET": "fetch(origin + '/a?b=c#d')",
  "an address with odd characters": "fetch(origin + '/ä b/%7e/../x?q=ü|')",
  text: "fetch(origin, { method: 'POST', body: 'tëxt' })",
  "empty text": "fetch(origin, { method: 'POST', body: '' })",
  bytes: "fetch(origin, { method: 'PUT', body: new Uint8Array([0, 128, 255]) })",
  "a window of bytes": "fetch(origin, { method: 'PUT', body: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) })",
  "a buffer": "fetch(origin, { method: 'PUT', body: new Uint8Array([1, 2]).buffer })",
  "a blob": "fetch(origin, { method: 'POST', body: new Blob(['b'], { type: 'x/y' }) })",
  "no body": "fetch(origin, { method: 'POST' })",
  "a null body": "fetch(origin, { method: 'DELETE', body: null })",
  "JSON with its type":
    "fetch(origin, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })",
  "headers as an object": "fetch(origin, { headers: { 'X-A': '1', authorization: 'me' } })",
  "headers as a list, one twice": "fetch(origin, { headers: [['x-a', '1'], ['X-A', '2']] })",
  "headers as Headers": "fetch(origin, { headers: new Headers({ 'x-a': ' spaced ' }) })",
  "a method in lower case": "fetch(origin, { method: 'post', body: 'x' })",
  HEAD: "fetch(origin, { method: 'HEAD' })",
  OPTIONS: "fetch(origin, { method: 'OPTIONS' })",
  "a GET with a body": "fetch(origin, { body: 'x' })",
  TRACE: "fetch(origin, { method: 'TRACE' })",
  "credentials in the address": "fetch(origin.replace('http://', 'http://u:p@'))",
  ...Object.fromEntries(
    [200, 201, 204, 205, 299, 304, 404, 418, 500, 503, 599].map((status) => [
      `status ${status}`,
      `fetch(origin + '/status/${status}')`,
    ]),
  ),
  "status 302, and then a GET": "fetch(origin + '/status/302')",
  "status 300 with a location": "fetch(origin + '/status/300')",
  "a redirect without a location": "fetch(origin + '/nowhere')",
  "a redirect to a host that is not allowed": "fetch(origin + '/elsewhere')",
  "a redirect to no address": "fetch(origin + '/bad-location')",
  "five redirects": "fetch(origin + '/hops/4')",
  "six redirects": "fetch(origin + '/hops/5')",
  "a POST past a 307": "fetch(origin + '/status/307', { method: 'POST', body: 'again' })",
  "a PUT past a 308":
    "fetch(origin + '/status/308', { method: 'PUT', body: 'again', headers: { authorization: 'me' } })",
  "another host": "fetch('https://other.example/')",
  "no address": "fetch('nowhere')",
  // Those that differ.
  "a POST past a 301": "fetch(origin + '/status/301', { method: 'POST', body: 'x' })",
  "a PUT past a 303": "fetch(origin + '/status/303', { method: 'PUT', body: 'x' })",
  "redirect: manual": "fetch(origin + '/status/302', { redirect: 'manual' })",
  "redirect: error": "fetch(origin + '/status/302', { redirect: 'error' })",
  "several cookies":
    "fetch(origin + '/cookies').then((r) => ({ status: r.status, text: async () => r.headers.getSetCookie().join('|'), headers: r.headers }))",
  "the url and redirected":
    "fetch(origin + '/hops/0').then((r) => ({ status: r.status, text: async () => r.url.replace(origin, '') + r.redirected, headers: r.headers }))",
  parameters: "fetch(origin, { method: 'POST', body: new URLSearchParams({ a: '1 2' }) })",
  "a stream":
    "fetch(origin, { method: 'POST', duplex: 'half', body: new ReadableStream({ start(c) { c.enqueue(new Uint8Array([65])); c.close(); } }) })",
  "a header that is a number": "fetch(origin, { headers: { 'x-n': 7 } })",
  "a forbidden header": "fetch(origin, { headers: { host: 'evil.example' } })",
  "a server that hangs up": "fetch(origin + '/broken')",
};

const PLUGIN = `
  const cases = { ${Object.entries(CASES)
    .map(([name, code]) => `${JSON.stringify(name)}: (fetch, origin) => ${code},`)
    .join("\n")} };
  export async function run(name, fetch, origin) {
    try {
      const r = await cases[name](fetch, origin);
      const text = await r.text();
      const headers = Object.fromEntries(["x-path", "location", "content-length"].map((name) => [name, r.headers.get(name)]));
      return { value: { status: r.status, text, headers } };
    } catch (error) {
      return { error: error.message };
    }
  }
  export default { routes: { run: ({ input }, ctx) => run(input.name, ctx.http.fetch, input.origin) } };`;

/** What ours answers where the peer answers otherwise; a row of docs/differences.md. */
const DIFFERENCES: Record<string, { id: string; ours: (fetched: Fetched) => void }> = {
  "a POST past a 301": {
    id: "http-redirect-method",
    ours: (it) => expect(seen(it)).toMatchObject({ method: "GET", body: "" }),
  },
  "a PUT past a 303": {
    id: "http-redirect-method",
    ours: (it) => expect(seen(it)).toMatchObject({ method: "GET", body: "" }),
  },
  "redirect: manual": {
    id: "http-redirect-mode",
    ours: (it) => expect(it.value).toMatchObject({ status: 302, headers: { location: "/echo" } }),
  },
  "redirect: error": {
    id: "http-redirect-mode",
    ours: (it) => expect(it.error).toContain(`redirect is \\"error\\"`),
  },
  "several cookies": { id: "http-cookies", ours: (it) => expect(it.value?.text).toBe("a=1|b=2") },
  "the url and redirected": { id: "http-url", ours: (it) => expect(it.value?.text).toBe("/echotrue") },
  parameters: {
    id: "http-parameters",
    ours: (it) =>
      expect(seen(it).sent).toMatchObject({
        "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
      }),
  },
  "a stream": { id: "http-stream", ours: (it) => expect(seen(it).body).toBe("A") },
  "a header that is a number": {
    id: "http-headers",
    ours: (it) => expect(seen(it).sent).toMatchObject({ "x-n": "7" }),
  },
  "a server that hangs up": {
    id: "http-errors",
    ours: (it) => expect(it.error).toContain("fetch failed: the answer can't be read: "),
  },
};

function seen({ value }: Fetched): { method: string; sent: Record<string, string>; body: string } {
  return JSON.parse(value?.text ?? "{}");
}

let peer: (name: string) => Promise<Fetched>;
let ours: (name: string) => Promise<Fetched>;
let trusted: (name: string) => Promise<Fetched>;
const close: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  for (const level of ["debug", "info", "warn", "error"] as const)
    vi.spyOn(console, level).mockImplementation(() => {});
  const database = await temporaryDatabase();
  const options = { db: database.db, siteInfo: { name: "P", url: "https://p.example", locale: "en" } };
  const started = await startPeer(options, 1);
  const runner = new WorkerdSandboxRunner(options);
  close.push(
    () => started.close(),
    () => runner.terminateAll(),
    () => database.close(),
  );
  const load = async (runner: Pick<WorkerdSandboxRunner, "load">) => {
    const manifest = manifestOf({ id: "p", capabilities: ["network:fetch"], allowedHosts: ["127.0.0.1"] });
    const plugin = await runner.load(manifest, PLUGIN);
    return async (name: string) =>
      (await plugin.invokeRoute("run", { name, origin: origin.url }, REQUEST)) as Fetched;
  };
  [peer, ours] = [await load(started.runner as never), await load(runner)];
  const { run } = (await import(`data:text/javascript,${encodeURIComponent(PLUGIN)}`)) as {
    run(name: string, fetch: unknown, origin: string): Promise<Fetched>;
  };
  const { fetch } = createHttpAccess("p", ["127.0.0.1"]);
  trusted = async (name) => asRefusal(await run(name, fetch, origin.url));
});
afterAll(async () => {
  for (const end of close) await end();
});

/** A trusted plugin gets the bare words. */
function asRefusal(fetched: Fetched): Fetched {
  if (fetched.error === undefined) return fetched;
  return { error: `Bridge call http/fetch failed: ${JSON.stringify({ error: fetched.error })}` };
}

/** Where the peer's own transport loses what EmDash's access has. */
const PEERS_OWN = Object.keys(DIFFERENCES);

describe.each(Object.keys(CASES))("%s", (name) => {
  const differs = DIFFERENCES[name];
  it(differs ? `differs: ${differs.id}` : "is the same in all three", async () => {
    const [there, here, trustedly] = await Promise.all([peer(name), ours(name), trusted(name)]);
    if (differs) {
      differs.ours(here);
      expect(here).not.toEqual(there);
    } else {
      expect(here, "ours and the peer's").toEqual(there);
      expect(PEERS_OWN).not.toContain(name);
      expect(here, "ours and a trusted plugin's").toEqual(trustedly);
    }
  });
});
