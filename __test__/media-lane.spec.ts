/** A file's bytes on their way between a plugin and the site's media storage. */
import { expect, it } from "vitest";
import type { RunnerOptions } from "../host/options.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "./support/runner.js";

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

it("a limit of the environment that is no number is refused by its name", () => {
  process.env.EMDASH_SANDBOX_MAX_UPLOAD_MB = "many";
  try {
    expect(() => makeRunner()).toThrow(/EMDASH_SANDBOX_MAX_UPLOAD_MB|maxUploadMb/);
  } finally {
    delete process.env.EMDASH_SANDBOX_MAX_UPLOAD_MB;
  }
});
