/** The guest's `ctx` in this process, over a bridge handler in place of the channel. */
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Manifest } from "./plugins.js";

type Handler = (request: Request) => Promise<Response>;
type Call = (method: string, body: unknown) => Promise<unknown>;

interface ContextModule {
  createContext(binding: unknown, call: Call, tell: (method: string, body: unknown) => void): unknown;
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
    for (const file of await readdir(guest)) {
      const copy = join(folder, "node_modules", file);
      await mkdir(copy, { recursive: true });
      await writeFile(join(copy, "package.json"), '{"type":"module","main":"index.js"}');
      await copyFile(join(guest, file), join(copy, "index.js"));
    }
    const entry = join(folder, "node_modules/context.js/index.js");
    return (await import(pathToFileURL(entry).href)) as ContextModule;
  } finally {
    await rm(folder, { recursive: true });
  }
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
  return createContext({ plugin, site, members }, call, (method, body) => void call(method, body));
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
