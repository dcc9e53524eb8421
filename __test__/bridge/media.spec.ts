import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Host, publicMessage } from "../../host/bridge/index.js";
import { storeUpload } from "../../host/bridge/media.js";
import type { MediaStorage } from "../../host/bridge/operation.js";
import { type Caller, callerOf, hostOn } from "../support/bridge.js";
import { databaseKinds, type TemporaryDatabase } from "../support/database.js";

const created_at = "2026-01-01T00:00:00.000Z";
const png = { filename: "a.png", contentType: "image/png", bytes: new Uint8Array([1, 2, 3]) };

/** Storage in memory that says what was done to it. */
function memory(parts: Partial<MediaStorage> = {}) {
  const files = new Map<string, Uint8Array>();
  const mediaStorage: MediaStorage = {
    upload: async ({ key, body }) => void files.set(key, body),
    delete: async (key) => void files.delete(key),
    ...parts,
  };
  return { files, mediaStorage };
}

describe.each(databaseKinds())("media on %s", (_kind, open) => {
  let database: TemporaryDatabase;
  let call: Caller;
  beforeAll(async () => {
    database = await open();
    call = callerOf(database.db, { id: "reader" });
    await database.db
      .insertInto("media")
      .values([
        row("01A", "image/png"),
        row("01B", "image_png"),
        row("01C", "video/mp4"),
        row("01D", "IMAGE/PNG"),
        { ...row("01E", "image/gif"), status: "pending", size: null },
      ])
      .execute();
  });
  afterAll(() => database.close());

  const item = {
    id: "01A",
    filename: "01A.png",
    mimeType: "image/png",
    size: 3,
    url: "/_emdash/api/media/file/key-01A.png",
    createdAt: created_at,
  };

  async function ids(...args: (string | null)[]): Promise<string[]> {
    const { items } = (await call("media/list", ...args)) as { items: { id: string }[] };
    return items.map(({ id }) => id);
  }

  async function refusal(answer: Promise<unknown>): Promise<string> {
    return publicMessage(await answer.catch((error) => error), "media/upload");
  }

  function hostWith(mediaStorage: MediaStorage, parts: Partial<Host> = {}): Host {
    return hostOn(database.db, { mediaStorage, ...parts });
  }

  it("gives a file of any status", async () => {
    expect(await call("media/get", "01A")).toEqual(item);
    expect(await call("media/get", "01E")).toMatchObject({ id: "01E", size: null });
    expect(await call("media/get", "gone")).toBeNull();
  });

  it("lists what is ready, newest first, page by page", async () => {
    expect(await ids(null, "50", null)).toEqual(["01D", "01C", "01B", "01A"]);
    expect(await call("media/list", null, "3", null)).toMatchObject({ hasMore: true, cursor: "01B" });
    expect(await call("media/list", null, "3", "01B")).toEqual({ items: [item], hasMore: false });
  });

  it.each([
    ["image/", ["01A"]],
    ["image_", ["01B"]],
    ["%", []],
    ["", ["01D", "01C", "01B", "01A"]],
    ["video/mp4", ["01C"]],
  ])("filters by the letters %j", async (prefix, expected) => {
    expect(await ids(prefix, "50", null)).toEqual(expected);
  });

  it("gives the store the very bytes that came", async () => {
    const { files, mediaStorage } = memory();
    const { mediaId } = JSON.parse(await storeUpload(hostWith(mediaStorage), png, always));
    expect([...files.values()][0]).toBe(png.bytes);
    await call("media/delete", mediaId);
  });

  it("stores a file, then its row", async () => {
    const { files, mediaStorage } = memory();
    const upload = { ...png, filename: "../x/My photo.v2.JPG" };
    const answer = JSON.parse(await storeUpload(hostWith(mediaStorage), upload, always));
    const { mediaId, storageKey } = answer;
    expect(storageKey).toBe(`${mediaId}.JPG`);
    expect(answer).toEqual({ mediaId, storageKey, url: `/_emdash/api/media/file/${storageKey}` });
    expect(mediaId).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect([...files]).toEqual([[storageKey, png.bytes]]);
    expect(await call("media/get", mediaId)).toMatchObject({
      filename: "../x/My photo.v2.JPG",
      mimeType: "image/png",
      size: 3,
    });
    await call("media/delete", mediaId);
  });

  it("removes a file again for which there is no time left to make a row, because nobody would find it", async () => {
    const { files, mediaStorage } = memory();
    const late = () => files.size === 0;
    await expect(storeUpload(hostWith(mediaStorage), png, late)).rejects.toThrow(
      "the hook or route that made this call is over",
    );
    expect([...files]).toEqual([]);
    expect(await ids(null, "50", null)).toEqual(["01D", "01C", "01B", "01A"]);
  });

  it.each([
    ["a", ""],
    ["a.", ""],
    [".png", ".png"],
    ["a.p/ng", ""],
    ["a.png/b", ""],
    ["a.png\\b", ""],
    ["a.p%6eg", ""],
    ["a.abcdefghijk", ""],
    ["a.pné", ""],
    ["a.png\n", ""],
    ["a.tar.gz", ".gz"],
  ])("takes from the name %j the extension %j", async (filename, extension) => {
    const { mediaStorage } = memory();
    const answer = JSON.parse(await storeUpload(hostWith(mediaStorage), { ...png, filename }, always));
    expect(answer.storageKey).toBe(answer.mediaId + extension);
    await call("media/delete", answer.mediaId);
  });

  it.each([
    "text/html",
    "image",
    "image/",
    "xapplication/pdf",
    "application/pdfx",
    "image/png\r\nSet-Cookie: a",
    "",
  ])("refuses the content type %j", async (contentType) => {
    const { files, mediaStorage } = memory();
    expect(await refusal(storeUpload(hostWith(mediaStorage), { ...png, contentType }, always))).toBe(
      `Unsupported content type: ${contentType}. Allowed: image/*, video/*, audio/*, application/pdf`,
    );
    expect(files.size).toBe(0);
  });

  it("says when there is no storage", async () => {
    expect(await refusal(storeUpload(hostOn(database.db), png, always))).toBe(
      "Media storage is not configured. Cannot upload files without a storage adapter.",
    );
  });

  it("removes the file when the row fails", async () => {
    const uploaded: string[] = [];
    const { files, mediaStorage } = memory();
    const upload: MediaStorage["upload"] = async (file) => {
      uploaded.push(file.key);
      await mediaStorage.upload(file);
    };
    // A schema that does not exist.
    const db = database.db.withSchema("nowhere");
    const host = hostOn(db, { mediaStorage: { ...mediaStorage, upload } });
    expect(await refusal(storeUpload(host, png, always))).toBe("Database error in media/upload");
    expect(uploaded).toHaveLength(1);
    expect(files.size).toBe(0);
  });

  it("writes no row when the storage fails", async () => {
    const { mediaStorage } = memory({ upload: () => Promise.reject(new Error("disk full")) });
    const before = await ids(null, "50", null);
    await expect(storeUpload(hostWith(mediaStorage), png, always)).rejects.toThrow("disk full");
    expect(await ids(null, "50", null)).toEqual(before);
  });

  it("deletes the row, then the file", async () => {
    const { files, mediaStorage } = memory();
    const caller = callerOf(database.db, { id: "w" }, { mediaStorage });
    const { mediaId } = JSON.parse(await storeUpload(hostWith(mediaStorage), png, always));
    expect(await caller("media/delete", mediaId)).toBe(true);
    expect(files.size).toBe(0);
    expect(await caller("media/delete", mediaId)).toBe(false);
  });

  it("only warns when the file can't be deleted", async () => {
    const warnings: string[] = [];
    const { mediaStorage } = memory({ delete: () => Promise.reject(new Error("disk gone")) });
    const { mediaId, storageKey } = JSON.parse(await storeUpload(hostWith(mediaStorage), png, always));
    const warn = (message: string) => void warnings.push(message);
    const caller = callerOf(database.db, { id: "w" }, { mediaStorage, warn });
    expect(await caller("media/delete", mediaId)).toBe(true);
    expect(await call("media/get", mediaId)).toBeNull();
    expect(warnings).toEqual([
      `the file ${storageKey} was deleted from the library and could not be removed from the media storage: Error: disk gone`,
    ]);
  });

  describe("a file's bytes", () => {
    function streaming(chunks: number[][]) {
      let cancelled = false;
      const download = async () => ({
        body: new ReadableStream<Uint8Array>({
          pull(controller) {
            const next = chunks.shift();
            if (next) controller.enqueue(new Uint8Array(next));
            else controller.close();
          },
          cancel() {
            cancelled = true;
          },
        }),
      });
      return { ...memory({ download }), wasCancelled: () => cancelled };
    }

    function refusalOfReading(id: string, limit: string, mediaStorage: MediaStorage): Promise<string> {
      return refusal(callerOf(database.db, { id: "r" }, { mediaStorage })("media/readBytes", id, limit));
    }

    it("come whole", async () => {
      const { mediaStorage } = streaming([[1], [2, 3]]);
      const caller = callerOf(database.db, { id: "r" }, { mediaStorage });
      expect(await caller("media/readBytes", "01A", "3")).toEqual({
        bytes: Buffer.from([1, 2, 3]),
        filename: "01A.png",
        mimeType: "image/png",
        size: 3,
      });
    });

    it("are refused by the size that the row says, and cut when the row does not say it", async () => {
      const known = streaming([[1]]);
      expect(await refusalOfReading("01A", "2", known.mediaStorage)).toBe("Media 01A is larger than 2 bytes");
      await database.db.updateTable("media").set({ size: null }).where("id", "=", "01D").execute();
      const unknown = streaming([[1, 2], [3], [4], [5], [6]]);
      expect(await refusalOfReading("01D", "2", unknown.mediaStorage)).toBe(
        "Media 01D is larger than 2 bytes",
      );
      expect(unknown.wasCancelled()).toBe(true);
    });

    it.each([
      ["shorter than its row says", [[1], [2]]],
      ["longer", [[1, 2], [3, 4], [5], [6, 7, 8, 9]]],
      ["empty", []],
    ])("come whole when the file is %s", async (_what, chunks) => {
      const { mediaStorage } = streaming(structuredClone(chunks));
      const caller = callerOf(database.db, { id: "r" }, { mediaStorage });
      expect(await caller("media/readBytes", "01A", "9")).toMatchObject({
        bytes: Buffer.from(chunks.flat()),
        size: chunks.flat().length,
      });
    });

    it("fail without the store's own words, at once and while they come", async () => {
      const words = new Error("bucket-7 of 10.0.0.3");
      const atOnce = memory({ download: () => Promise.reject(words) });
      const later = memory({
        download: async () => ({
          body: new ReadableStream({ pull: (controller) => controller.error(words) }),
        }),
      });
      for (const { mediaStorage } of [atOnce, later]) {
        expect(await refusalOfReading("01A", "9", mediaStorage)).toBe("The file could not be read");
      }
    });

    it("need an EmDash that gives them, and a file", async () => {
      expect(await refusalOfReading("01A", "9", memory().mediaStorage)).toContain(
        "needs an EmDash newer than 0.34",
      );
      expect(await refusalOfReading("gone", "9", streaming([]).mediaStorage)).toBe(
        "Media not found or not ready: gone",
      );
    });
  });
});

function row(id: string, mime_type: string) {
  return {
    id,
    filename: `${id}.png`,
    mime_type,
    size: 3 as number | null,
    storage_key: `key-${id}.png`,
    status: "ready",
    created_at,
  };
}

/** Of a caller with time left. */
function always(): boolean {
  return true;
}
