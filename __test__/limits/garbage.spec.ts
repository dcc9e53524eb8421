/** What a plugin has held and keeps no more is not to end it: V8 does not hurry for buffers, and the kernel does not wait. */
import { describe, expect, it } from "vitest";
import type { RunnerOptions } from "../../host/options.js";
import { useOrigin } from "../support/origin.js";
import { ask, loadPlugin, makeRunner, useDatabase } from "../support/runner.js";

const site = useDatabase();
const SIZE = 5_000_000;
const origin = useOrigin((_, response, body) =>
  response.end(body.length > 0 ? `${body.length}` : Buffer.alloc(SIZE)),
);
const manifest = { capabilities: ["media:write", "network:request"], allowedHosts: ["127.0.0.1"] };

const MOVES = `const file = () => new Uint8Array(${SIZE}).fill(7);
  export default { routes: {
    upload: async (_, ctx) => (await ctx.media.upload("f.mp4", "video/mp4", file())).mediaId,
    fetch: async ({ input }, ctx) => (await (await ctx.http.fetch(input)).arrayBuffer()).byteLength,
    post: async ({ input }, ctx) => (await ctx.http.fetch(input, { method: "POST", body: file() })).text(),
    event: ({ input }) => input.length,
  } };`;

describe.each<[string, RunnerOptions["limits"]]>([
  ["by the defaults", {}],
  ["with exact processor time", { cpuMs: 1000 }],
  ["with half the memory", { memoryMb: 64 }],
])("a plugin that moves 2 GB, and keeps nothing, %s", (_, limits) => {
  it("is not ended for it", async () => {
    const mediaStorage = { upload: async () => {}, delete: async () => {} };
    const runner = makeRunner({ db: site.db, mediaStorage, limits } as Partial<RunnerOptions>);
    const plugin = await loadPlugin(runner, MOVES, manifest);
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 100; n += 1) await ask(plugin, "x".repeat(100_000), "event");
      for (let n = 0; n < 100; n += 1) await ask(plugin, undefined, "upload");
      for (let n = 0; n < 100; n += 1) expect(await ask(plugin, origin.url, "fetch")).toBe(SIZE);
      for (let n = 0; n < 50; n += 1) expect(await ask(plugin, origin.url, "post")).toBe(`${SIZE}`);
    }
    expect(runner.status().plugins[0]).toMatchObject({ starts: 1, failures: 0 });
  }, 60_000);
});
