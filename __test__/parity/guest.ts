/** The guest's `ctx` in this process, over a bridge handler in place of the channel. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Manifest } from "./plugins.js";

type Handler = (request: Request) => Promise<Response>;
type Call = (method: string, body: unknown) => Promise<unknown>;

interface ContextModule {
  createContext(
    binding: unknown,
    call: Call,
    tell: (method: string, body: unknown) => void,
    callWithBytes: (method: string, body: object, bytes: Uint8Array) => Promise<unknown>,
  ): unknown;
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
  const { createContext } = await context;
  const members = {
    users: holds(manifest, "users:read", "read:users"),
    email: holds(manifest, "email:send"),
  };
  const plugin = { id: manifest.id, version: manifest.version };
  const call = (method: string, body: unknown) => callOver(handle, method, body);
  const tell = (method: string, body: unknown) => void call(method, body);
  return createContext({ plugin, site, members }, call, tell, (method, body, view) => {
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");
    return call(method, { ...body, bytes, encoding: "base64" });
  });
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
