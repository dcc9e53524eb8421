/** The ways by which a plugin's calls get an answer. Each has a database of its own. */
import type { SandboxedPluginInstance, SandboxOptions, SandboxRunner } from "emdash";
import { type BridgeHandlerOptions, createBridgeHandler } from "../../host/bridge-handler.js";
import { WorkerdSandboxRunner } from "../../host/runner.js";
import { startPeer } from "../support/peer.js";
import type { Call, Outcome } from "./case.js";
import { guestContext } from "./guest.js";
import { apply, encode, type Manifest, manifests, pluginCode } from "./plugins.js";

export interface Lane {
  run(plugin: string, calls: readonly Call[]): Promise<Outcome[]>;
  close(): Promise<void>;
}

export type Site = Pick<SandboxOptions, "db" | "mediaStorage"> & {
  emailSend: NonNullable<SandboxOptions["emailSend"]>;
};

export const siteInfo = {
  name: "Parity",
  url: "https://parity.example",
  locale: "en",
  trailingSlash: "ignore" as const,
};

/** The peer, as it is: its own workerd, its own transport. */
export async function peerLane(site: Site): Promise<Lane> {
  const peer = await startPeer({ ...site, siteInfo }, Object.keys(manifests).length);
  return runnerLane(peer.runner, () => peer.close());
}

/** Ours: a workerd process for each plugin. */
export async function processLane(site: Site): Promise<Lane> {
  const runner = new WorkerdSandboxRunner({ ...site, siteInfo });
  return runnerLane(runner, () => runner.terminateAll());
}

export async function runnerLane(
  runner: Pick<SandboxRunner, "load">,
  close: () => Promise<void>,
): Promise<Lane> {
  const code = await pluginCode();
  const loaded = new Map<string, SandboxedPluginInstance>();
  for (const manifest of Object.values(manifests)) {
    loaded.set(manifest.id, await runner.load(manifest, code));
  }
  return {
    async run(plugin, calls) {
      const instance = loaded.get(plugin);
      if (instance === undefined) throw new Error(`there is no plugin ${plugin}`);
      return (await instance.invokeRoute("apply", encode(calls), request)) as Outcome[];
    },
    close,
  };
}

const request = {
  url: "https://parity.example/_emdash/api/plugins/parity/apply",
  method: "POST",
  headers: {},
  meta: { ip: null, userAgent: null, referer: null, geo: null },
};

type Create = (options: BridgeHandlerOptions) => (request: Request) => Promise<Response>;

/** A bridge handler in this process, asked by the guest's own `ctx`. */
export async function handlerLane(site: Site, create: Create = createBridgeHandler): Promise<Lane> {
  return {
    async run(plugin, calls) {
      const manifest = manifests[plugin];
      if (manifest === undefined) throw new Error(`there is no plugin ${plugin}`);
      const handle = create(handlerOptions(manifest, site));
      const ctx = await guestContext(manifest, siteInfo, handle);
      return (await apply({ input: encode(calls) }, ctx)) as Outcome[];
    },
    async close() {},
  };
}

export function handlerOptions(manifest: Manifest, site: Site): BridgeHandlerOptions {
  return {
    pluginId: manifest.id,
    version: manifest.version,
    capabilities: manifest.capabilities,
    allowedHosts: manifest.allowedHosts,
    storageCollections: Object.keys(manifest.storage),
    storageConfig: manifest.storage as NonNullable<BridgeHandlerOptions["storageConfig"]>,
    db: site.db,
    emailSend: () => site.emailSend,
    storage: site.mediaStorage ?? null,
  };
}
