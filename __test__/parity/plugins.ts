/** The plugins of the parity suite: one code, different rights. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SandboxRunner } from "emdash";

export type Manifest = Parameters<SandboxRunner["load"]>[0];

const FILE = join(import.meta.dirname, "../fixtures/parity-plugin.js");

interface PluginModule {
  encode(value: unknown): unknown;
  default: { routes: { apply(route: { input: unknown }, ctx: unknown): Promise<unknown> } };
}

const module = (await import(FILE)) as PluginModule;
export const { encode } = module;
export const { apply } = module.default.routes;

export function pluginCode(): Promise<string> {
  return readFile(FILE, "utf8");
}

/** By JSON, so that `__proto__` is a name like others. */
const storage = JSON.parse(`{
  "notes": { "indexes": ["rank", "kind", ["kind", "rank"]], "uniqueIndexes": ["slug"] },
  "plain": {},
  "__proto__": { "indexes": ["rank"] },
  "constructor": {},
  "ünï cödé": {}
}`) as Manifest["storage"];

/** The peer knows these, and not today's. */
const OLD_NAMES = [
  "read:content",
  "write:content",
  "read:media",
  "write:media",
  "read:users",
  "network:fetch",
];
const NAMES = ["content:read", "content:write", "media:read", "media:write", "users:read", "network:request"];
const NEVER_RENAMED = ["taxonomies:read", "email:send"];

export const manifests: Readonly<Record<string, Manifest>> = Object.fromEntries(
  Object.entries({
    everything: [...OLD_NAMES, ...NEVER_RENAMED],
    nothing: [],
    today: [...NAMES, ...NEVER_RENAMED],
    writer: ["write:content", "write:media"],
    traveller: ["network:fetch:any"],
    // Names that are none, or not quite.
    pretender: ["READ:CONTENT", "read:content ", "*", "__proto__", "content", ""],
  }).map(([id, capabilities]) => [
    id,
    {
      id,
      version: "1.2.3",
      capabilities,
      allowedHosts: [],
      storage,
      hooks: [],
      routes: [],
      admin: {},
    } as Manifest,
  ]),
);
