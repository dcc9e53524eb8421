// The three that are compared, each behind the same few functions.
import { startFloor } from "./floor.mjs";
import { peerRunner, unpackPeer } from "./peer.mjs";

const MANIFEST = {
  version: "1.0.0",
  capabilities: ["read:content", "write:media", "network:fetch"],
  allowedHosts: ["127.0.0.1"],
  storage: {},
  hooks: [],
  routes: [],
  admin: {},
};

const REQUEST = { url: "https://bench.example/", method: "POST", headers: {}, meta: {} };

/** Each call that is measured is a hook of this plugin, or the route. */
const CODE = `
let isFilled = false;
async function fill(kv) {
  for (let n = 0; n < 20; n += 1) await kv.set("n" + n, n);
  isFilled = true;
}
export default {
  hooks: {
    noop: (event) => event.n,
    size: (event) => event.text.length,
    kv: async (event, ctx) => { await ctx.kv.set("n", event.n); return ctx.kv.get("n"); },
    readsInARow: async (_, ctx) => { let sum = 0; for (let n = 0; n < 20; n += 1) sum += await ctx.kv.get("n"); return sum; },
    readsAtOnce: async (_, ctx) => {
      if (!isFilled) await fill(ctx.kv);
      return (await Promise.all(Array.from({ length: 20 }, (_, n) => ctx.kv.get("n" + n)))).length;
    },
    list: async (_, ctx) => (await ctx.content.list("posts", { limit: 50 })).items.length,
    upload: async (_, ctx) => (await ctx.media.upload("f.mp4", "video/mp4", new Uint8Array(5000000).fill(7))).mediaId,
    fetch: async (event, ctx) => (await (await ctx.http.fetch(event.origin + "large")).arrayBuffer()).byteLength,
  },
  routes: { run: ({ input }) => input },
};`;

/** Plugins of one runner, as EmDash uses it. */
class Contender {
  #loaded = 0;

  constructor(name, site, { runner, workerds, close }) {
    Object.assign(this, { name, site, runner, workerds, close });
  }

  /** A plugin that was never seen before: nobody's cache has its code. */
  load() {
    this.#loaded += 1;
    const id = `bench-${this.#loaded}`;
    return this.runner.load({ ...MANIFEST, id }, `${CODE} // ${id}`);
  }

  /** The first call of each waits for its process. */
  async loadAll(count) {
    const plugins = [];
    for (let n = 0; n < count; n += 1) plugins.push(await this.load());
    for (const plugin of plugins) await plugin.invokeHook("noop", { n: 1 });
    return plugins;
  }

  route(plugin, input) {
    return plugin.invokeRoute("run", input, REQUEST);
  }
}

/** @returns how each is started anew, for a site. `remove` deletes what was unpacked. */
export async function contenders(site) {
  const unpacked = await unpackPeer();
  return {
    async peer(plugins = 1) {
      return new Contender("peer", site, await peerRunner(unpacked.entry, site.options, plugins + 4));
    },
    async ours() {
      const { createSandboxRunner } = await import("emdash-sandbox-native/sandbox");
      const runner = createSandboxRunner(site.options);
      if (!runner.isAvailable()) throw new Error(runner.unavailableReason());
      const workerds = () => runner.status().plugins.flatMap(({ processId }) => processId ?? []);
      return new Contender("ours", site, { runner, workerds, close: () => runner.terminateAll() });
    },
    floor: async () => ({ ...(await startFloor()), db: site.options.db }),
    remove: unpacked.remove,
  };
}
