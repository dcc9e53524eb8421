/** A file's bytes on their way between a plugin and the site's media storage. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createBridgeHandler } from "../host/bridge-handler.js";
import type { RunnerOptions } from "../host/options.js";
import { ask, isProduction, loadPlugin, makeRunner, routeOf, useDatabase } from "./support/runner.js";
import { until } from "./support/until.js";

const site = useDatabase();
const MEGABYTE = 1024 * 1024;

function memory() {
  const files = new Map<string, Uint8Array>();
  const mediaStorage = {
    async upload({ key, body }: { key: string; body: Uint8Array }) {
      files.set(key, body);
    },
    async delete(key: string) {
      files.delete(key);
    },
    async download(key: string) {
      return { body: new Blob([Buffer.from(files.get(key) ?? [])]).stream() };
    },
  };
  return { files, options: { db: site.db, mediaStorage } as Partial<RunnerOptions> };
}

const manifest = { capabilities: ["media:write", "media:bytes:read"] };

it("bytes come as they are from any view, its own window only", async () => {
  const { files, options } = memory();
  const body = `
    const buffer = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 255]).buffer;
    const views = [buffer, new Uint8Array(buffer, 1, 3), new Uint16Array(buffer, 2, 2), new DataView(buffer, 7, 1), new Uint8Array(0)];
    const stored = [];
    for (const view of views) stored.push(await ctx.media.upload("a.png", "image/png", view));
    return stored;`;
  const stored = (await ask(await loadPlugin(makeRunner(options), routeOf(body), manifest))) as {
    storageKey: string;
    url: string;
  }[];
  const bytes = stored.map(({ storageKey }) => [...(files.get(storageKey) ?? [])]);
  expect(bytes).toEqual([[0, 1, 2, 3, 4, 5, 6, 255], [1, 2, 3], [2, 3, 4, 5], [255], []]);
  expect(stored.every(({ url, storageKey }) => url === `/_emdash/api/media/file/${storageKey}`)).toBe(true);
});

it("ten files at once all arrive, and what is read back is the same", async () => {
  const { options } = memory();
  const body = `
    const files = await Promise.all(Array.from({ length: 10 }, (_, at) =>
      ctx.media.upload("f" + at + ".bin", "video/mp4", new Uint8Array(${MEGABYTE} + at).fill(at))));
    const read = await Promise.all(files.map(({ mediaId }) => ctx.media.readBytes(mediaId)));
    return read.map(({ bytes, size, filename, mimeType }) =>
      [bytes instanceof Uint8Array, bytes.length, bytes.every((byte) => byte === bytes.length - ${MEGABYTE}), size === bytes.length, filename, mimeType]);`;
  const plugin = await loadPlugin(makeRunner(options), routeOf(body), manifest);
  expect(await ask(plugin)).toEqual(
    Array.from({ length: 10 }, (_, at) => [true, MEGABYTE + at, true, true, `f${at}.bin`, "video/mp4"]),
  );
});

it("what is no bytes, what is too large and what is not allowed is refused, and the plugin goes on", async () => {
  const { files, options } = memory();
  const body = `
    const tries = [
      () => ctx.media.upload("a.png", "image/png", "text"),
      () => ctx.media.upload("a.png", "image/png", [1, 2]),
      () => ctx.media.upload("a.png", "image/png", new Uint8Array(17 * ${MEGABYTE})),
      () => ctx.media.upload("a.html", "text/html", new Uint8Array(1)),
      () => ctx.media.upload(1, "image/png", new Uint8Array(1)),
      () => ctx.media.readBytes("nothing"),
      () => ctx.media.readBytes("nothing", { maxBytes: 17 * ${MEGABYTE} }),
      () => ctx.media.readBytes("nothing", { maxBytes: 0.5 }),
    ];
    const errors = [];
    for (const attempt of tries) errors.push(await attempt().then(() => "done", (error) => error.message));
    return errors;`;
  const errors = (await ask(await loadPlugin(makeRunner(options), routeOf(body), manifest))) as string[];
  expect(errors.slice(0, 2)).toEqual(
    Array(2).fill("media.upload: bytes must be an ArrayBuffer or a view of one"),
  );
  expect(errors[2]).toContain("A file may have at most 16 MiB");
  expect(errors.slice(3)).toEqual([
    expect.stringContaining("Unsupported content type: text/html"),
    expect.stringContaining("Missing required string parameter: filename"),
    expect.stringContaining("Media not found or not ready: nothing"),
    expect.stringContaining("Parameter maxBytes must be a whole number from 1 to 16777216"),
    expect.stringContaining("Parameter maxBytes must be a whole number from 1 to 16777216"),
  ]);
  expect(files.size).toBe(0);
});

it("without the capability nothing is stored", async () => {
  const { files, options } = memory();
  const body = `return ctx.media.upload("a.png", "image/png", new Uint8Array(3)).catch((error) => error.message)`;
  expect(await ask(await loadPlugin(makeRunner(options), routeOf(body)))).toContain(
    "Missing capability: media:write",
  );
  expect(files.size).toBe(0);
});

it("uploads that a slow store keeps waiting are not lost, and nothing else of their plugin waits", async () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let begun = 0;
  const stored: Uint8Array[] = [];
  const mediaStorage = {
    async upload({ body }: { body: Uint8Array }) {
      begun += 1;
      await opened;
      stored.push(body);
    },
    async delete() {},
  };
  const runner = makeRunner({ db: site.db, mediaStorage, limits: { memoryMb: 512, cpuMs: 20_000 } } as never);
  const plugin = await loadPlugin(
    runner,
    `export default { routes: {
      run: (_, ctx) => Promise.all(Array.from({ length: 7 }, (_, at) =>
        ctx.media.upload(at + ".bin", "video/mp4", new Uint8Array(${16 * MEGABYTE}).fill(at)))).then((all) => all.length),
      other: ({ input }, ctx) => ctx.kv.set("other", input).then(() => "x".repeat(${2 * MEGABYTE})) } };`,
    manifest,
  );
  const uploads = ask(plugin);
  // Four fit; the fifth waits for room, the others for it. In development nothing bounds them.
  const most = isProduction() ? 4 : 7;
  await until(() => begun === most, "the uploads are with the store");
  const other = (await ask(plugin, "while they wait", "other")) as string;
  expect(other.length).toBe(2 * MEGABYTE);
  expect(begun).toBe(most);
  open();
  expect(await uploads).toBe(7);
  stored.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  expect(stored.map((body) => [body.length, body[0], body.at(-1)])).toEqual(
    Array.from({ length: 7 }, (_, at) => [16 * MEGABYTE, at, at]),
  );
});

it("bytes are those that the buffer held when upload was called, also when they go later", async () => {
  const { files, options } = memory();
  const body = `
    const buffer = new Uint8Array(${MEGABYTE});
    const uploads = [];
    for (let at = 0; at < 4; at += 1) uploads.push(ctx.media.upload(at + ".png", "image/png", buffer.fill(at + 1)));
    buffer.fill(0);
    return (await Promise.all(uploads)).map(({ storageKey }) => storageKey);`;
  const keys = (await ask(await loadPlugin(makeRunner(options), routeOf(body), manifest))) as string[];
  const firstAndLast = keys.map((key) => [files.get(key)?.at(0), files.get(key)?.at(-1)]);
  expect(firstAndLast).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
});

it("the bytes of uploads that are refused take nothing from those that follow", async () => {
  const { files, options } = memory();
  const runner = makeRunner({ ...options, limits: { memoryMb: 512, cpuMs: 20_000, wallTimeMs: 20_000 } });
  // More than there is room for, refused by the host, by the guest, and after their invocation's end.
  const body = `
    const bytes = new Uint8Array(${16 * MEGABYTE});
    const text = (promise) => promise.then(() => "stored", (error) => error.message);
    const refused = [];
    for (let at = 0; at < 5; at += 1) refused.push(await text(ctx.media.upload(7, "image/png", bytes)));
    for (let at = 0; at < 5; at += 1) refused.push(await text(ctx.media.upload({ toJSON() { throw new Error("never sent"); } }, "image/png", bytes)));
    refused.push(await text(ctx.media.upload("a.png", "image/png", bytes)));
    return refused;`;
  const refused = (await ask(await loadPlugin(runner, routeOf(body), manifest))) as string[];
  expect(refused.slice(0, 5)).toEqual(
    Array(5).fill('Bridge call media/upload failed: {"error":"Missing required string parameter: filename"}'),
  );
  expect(refused.slice(5)).toEqual([...Array(5).fill("never sent"), "stored"]);
  expect(files.size).toBe(1);
});

it("an upload that nobody awaits arrives before its plugin can be unloaded", async () => {
  const { files, options } = memory();
  const plugin = await loadPlugin(
    makeRunner(options),
    routeOf(
      `for (let at = 0; at < 3; at += 1) ctx.media.upload(at + ".png", "image/png", new Uint8Array(${MEGABYTE})); return "gone on"`,
    ),
    manifest,
  );
  expect(await ask(plugin)).toBe("gone on");
  await plugin.terminate();
  expect(files.size).toBe(3);
});

it("files that a plugin reads at once wait until there is room for them, and all come", async () => {
  const files = new Map<string, number>();
  let begun = 0;
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const mediaStorage = {
    async upload({ key, body }: { key: string; body: Uint8Array }) {
      files.set(key, body.length);
    },
    async delete() {},
    async download(key: string) {
      begun += 1;
      await opened;
      return { body: new Blob([new Uint8Array(files.get(key) ?? 0).fill(7)]).stream() };
    },
  };
  const runner = makeRunner({ db: site.db, mediaStorage, limits: { memoryMb: 512, cpuMs: 20_000 } } as never);
  // Together more than a plugin may leave unread before its process is ended.
  const plugin = await loadPlugin(
    runner,
    routeOf(`
      const { mediaId } = await ctx.media.upload("a.mp4", "video/mp4", new Uint8Array(${16 * MEGABYTE}));
      const all = await Promise.all(Array.from({ length: 9 }, async () => {
        const { bytes } = await ctx.media.readBytes(mediaId, { maxBytes: ${16 * MEGABYTE} });
        return [bytes.length, bytes[0], bytes.at(-1)];
      }));
      const text = (promise) => promise.then(({ size }) => size, (error) => error.message);
      return [all, await text(ctx.media.readBytes(mediaId))];`),
    manifest,
  );
  const read = ask(plugin);
  const most = isProduction() ? 4 : 9;
  await until(() => begun === most, "files are being read");
  open();
  expect(await read).toEqual([
    Array(9).fill([16 * MEGABYTE, 7, 7]),
    expect.stringMatching(/Media \w+ is larger than 10485760 bytes/),
  ]);
});

describe("EMDASH_SANDBOX_MAX_UPLOAD_MB", () => {
  afterEach(() => vi.unstubAllEnvs());
  const limit = 1.5 * MEGABYTE;

  it("is exactly what a plugin may upload", async () => {
    vi.stubEnv("EMDASH_SANDBOX_MAX_UPLOAD_MB", "1.5");
    const { files, options } = memory();
    const body = `
      const text = (size) => ctx.media.upload("a.png", "image/png", new Uint8Array(size)).then(() => "stored", (error) => error.message);
      return [await text(${limit}), await text(${limit} + 1)]`;
    expect(await ask(await loadPlugin(makeRunner(options), routeOf(body), manifest))).toEqual([
      "stored",
      'Bridge call media/upload failed: {"error":"A file may have at most 1.5 MiB"}',
    ]);
    expect([...files.values()].map((file) => file.length)).toEqual([limit]);
  });

  it("holds for the bridge handler, in base64 and as a list", async () => {
    vi.stubEnv("EMDASH_SANDBOX_MAX_UPLOAD_MB", "1.5");
    const { files, options } = memory();
    const handle = createBridgeHandler({
      pluginId: "test",
      version: "1",
      capabilities: ["media:write"],
      allowedHosts: [],
      storageCollections: [],
      db: site.db as never,
      emailSend: () => null,
      storage: options.mediaStorage as never,
    });
    const uploaded = async (bytes: string | number[]) => {
      const body = JSON.stringify({ filename: "a.png", contentType: "image/png", bytes });
      const response = await handle(new Request("http://bridge/media/upload", { method: "POST", body }));
      return ((await response.json()) as { error?: unknown }).error;
    };
    expect(await uploaded(Buffer.alloc(limit).toString("base64"))).toBeUndefined();
    expect(await uploaded(Buffer.alloc(limit + 1).toString("base64"))).toBe(
      "A file may have at most 1.5 MiB",
    );
    expect(await uploaded(Array(limit + 1).fill(0))).toBe("A file may have at most 1.5 MiB");
    expect(files.size).toBe(1);
  });

  it("is refused by its name when it is none", () => {
    vi.stubEnv("EMDASH_SANDBOX_MAX_UPLOAD_MB", "many");
    expect(() => makeRunner()).toThrow(/EMDASH_SANDBOX_MAX_UPLOAD_MB/);
  });
});

it("a plugin that uploads file after file needs no more memory than for one", async () => {
  const { options } = memory();
  // Each is on its own for the collector; together they are five times what the process may have.
  const body = `
    for (let at = 0; at < 120; at += 1) await ctx.media.upload("a.png", "image/png", new Uint8Array(5_000_000).fill(at));
    return "done"`;
  const mediaStorage = { ...options.mediaStorage, async upload() {} };
  const runner = makeRunner({ ...options, mediaStorage, limits: { memoryMb: 64, cpuMs: 20_000 } } as never);
  expect(await ask(await loadPlugin(runner, routeOf(body), manifest))).toBe("done");
});
