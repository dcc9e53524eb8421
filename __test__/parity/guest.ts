/** The guest's `ctx` in this process, over a bridge handler in place of the channel. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Manifest } from "./plugins.js";

type Handler = (request: Request) => Promise<Response>;
type Call = (method: string, body: unknown) => Promise<unknown>;

interface ContextModule {
  contexts(
    binding: unknown,
    call: Call,
    tell: (method: string, body: unknown) => void,
    callWithBytes: (method: string, body: object, bytes: Uint8Array) => Promise<unknown>,
    fetchOut: (url: unknown, init?: RequestInit) => Promise<Response>,
  ): () => unknown;
}

/** What the guest keeps of workerd at its start, and `ctx` does not use. */
const WORKERD = {
  WebSocket: class {
    accept() {}
    send() {}
  },
};
for (const [name, value] of Object.entries(WORKERD)) {
  if (!Object.hasOwn(globalThis, name)) Object.assign(globalThis, { [name]: value });
}

/**
 * Each file of the guest becomes a package of its name, as workerd makes a module of it. Node itself must import them:
 * vitest awaits what it imports, and `intrinsics.js` exports a `then`.
 */
async function importContext(): Promise<ContextModule> {
  const guest = join(import.meta.dirname, "../../guest");
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-guest-"));
  try {
    const modules = join(folder, "node_modules");
    for (const file of await readdir(guest)) {
      const text = await readFile(join(guest, file), "utf8");
      // A scheme that Node does not know.
      await addPackage(join(modules, file), text.replaceAll('"cloudflare:workers"', '"cloudflare-workers"'));
    }
    await addPackage(join(modules, "cloudflare-workers"), "export class ServiceStub { fetch() {} }");
    const entry = join(folder, "node_modules/context.js/index.js");
    return (await import(pathToFileURL(entry).href)) as ContextModule;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function addPackage(folder: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module","main":"index.js"}');
  await writeFile(join(folder, "index.js"), text);
}

let context: Promise<ContextModule> | undefined;

export async function guestContext(manifest: Manifest, site: unknown, handle: Handler): Promise<unknown> {
  context ??= importContext();
  const { contexts } = await context;
  const members = {
    users: holds(manifest, "users:read", "read:users"),
    email: holds(manifest, "email:send"),
  };
  const plugin = { id: manifest.id, version: manifest.version };
  const call = (method: string, body: unknown) => callOver(handle, method, body);
  const tell = (method: string, body: unknown) => void call(method, body);
  const callWithBytes = (method: string, body: object, view: Uint8Array) => {
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");
    return call(method, { ...body, bytes, encoding: "base64" });
  };
  const fetchOut = async (url: unknown, init?: RequestInit) => {
    const answer = await call("http/fetch", { url, init: init && (await inJson(init)) });
    const { bodyBase64, setCookie, headers, ...told } = answer as Fetched;
    const { "set-cookie": _last, ...others } = headers;
    const pairs = [...Object.entries(others), ...setCookie.map((cookie) => ["set-cookie", cookie])];
    const isNull = [204, 205, 304].includes(told.status);
    return new Response(isNull ? null : Buffer.from(bodyBase64, "base64"), {
      ...told,
      headers: pairs as [string, string][],
    });
  };
  return contexts({ plugin, site, members }, call, tell, callWithBytes, fetchOut)();
}

interface Fetched {
  status: number;
  statusText: string;
  headers: Record<string, string>;
  setCookie: string[];
  bodyBase64: string;
}

/** As EmDash's other runners put it into JSON. A body goes as bytes, whatever it is, with the type that it has. */
async function inJson(init: RequestInit): Promise<unknown> {
  const { headers, body } = init;
  const [method, redirect] = [init.method || undefined, init.redirect || undefined];
  const probe = new Request("http://probe", {
    method: "POST",
    ...(headers && { headers }),
    ...(body && { body, duplex: "half" }),
  } as RequestInit);
  if (!body) return { method, redirect, headers: headers && [...probe.headers] };
  const bytes = Buffer.from(await probe.arrayBuffer());
  return {
    method,
    redirect,
    headers: [...probe.headers],
    bodyType: "base64",
    body: bytes.toString("base64"),
  };
}

function holds(manifest: Manifest, ...names: string[]): boolean {
  return names.some((name) => (manifest.capabilities as readonly string[]).includes(name));
}

async function callOver(handle: Handler, method: string, body: unknown): Promise<unknown> {
  const request = new Request(`http://bridge/${method}`, { method: "POST", body: JSON.stringify(body) });
  const response = await handle(request);
  const text = await response.text();
  if (!response.ok) throw new Error(`Bridge call ${method} failed: ${text}`);
  return (JSON.parse(text) as { result?: unknown }).result;
}
