import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type BridgeHandlerOptions, createBridgeHandler } from "../host/sandbox.js";
import { type TemporaryDatabase, temporaryDatabase } from "./support/database.js";

describe("createBridgeHandler", () => {
  let database: TemporaryDatabase;
  beforeAll(async () => {
    database = await temporaryDatabase();
  });
  afterAll(() => database.close());
  afterEach(() => vi.restoreAllMocks());

  async function post(method: string, body: unknown, options: Partial<BridgeHandlerOptions> = {}) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return answerOf(new Request(`http://any/${method}`, { method: "POST", body: text }), options);
  }

  async function answerOf(request: Request, options: Partial<BridgeHandlerOptions> = {}) {
    const handle = createBridgeHandler({
      pluginId: "handled",
      version: "1.0.0",
      capabilities: ["content:read"],
      allowedHosts: [],
      storageCollections: ["notes"],
      storageConfig: { notes: { indexes: ["rank"] } },
      db: database.db,
      emailSend: () => null,
      ...options,
    });
    const response = await handle(request);
    return { status: response.status, body: (await response.json()) as unknown };
  }

  it("answers with the result, and without the key for undefined", async () => {
    expect(await post("kv/set", { key: "a", value: { n: [1] } })).toEqual({ status: 200, body: {} });
    expect(await post("kv/get", { key: "a" })).toEqual({ status: 200, body: { result: { n: [1] } } });
    expect(await post("kv/get", { key: "b" })).toEqual({ status: 200, body: { result: null } });
  });

  it("refuses with 500 and the text of the check", async () => {
    for (const [method, body, error] of [
      ["kv/get", {}, "Missing required string parameter: key"],
      ["kv/nope", {}, "Unknown bridge method: kv/nope"],
      ["", {}, "Unknown bridge method: "],
      ["storage/get", { collection: "constructor", id: "a" }, "Storage collection not declared: constructor"],
      ["kv/get", [], "The body of a bridge call must be a JSON object"],
      ["kv/get", "{no json", "The body of a bridge call must be a JSON object"],
      ["kv/get", "", "Missing required string parameter: key"],
    ] as const) {
      expect(await post(method, body), method).toEqual({ status: 500, body: { error } });
    }
  });

  it("takes a call that is no POST for one without parameters", async () => {
    const request = new Request("http://any/kv/list?prefix=a");
    expect(await answerOf(request, { pluginId: "fresh" })).toEqual({ status: 200, body: { result: [] } });
  });

  it("takes capabilities by today's names and the deprecated ones, and implies none", async () => {
    const get = (capabilities: string[]) =>
      post("content/get", { collection: "nope", id: "a" }, { capabilities });
    const missing = { status: 500, body: { error: "Missing capability: content:read" } };
    expect(await get(["content:read"])).toEqual({ status: 200, body: { result: null } });
    expect(await get(["read:content"])).toEqual({ status: 200, body: { result: null } });
    expect(await get(["content:write"])).toEqual(missing);
    expect(await get([])).toEqual(missing);
  });

  it("queries by the declared indexes", async () => {
    await post("storage/put", { collection: "notes", id: "a", data: { rank: 1, loose: 1 } });
    const query = (where: unknown) => post("storage/query", { collection: "notes", where });
    expect(await query({ rank: 1 })).toMatchObject({ body: { result: { items: [{ id: "a" }] } } });
    expect(await query({ loose: 1 })).toMatchObject({
      status: 500,
      body: { error: "Cannot query on non-indexed field 'loose'." },
    });
  });

  it("prints a log, made safe for a terminal, and answers null", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const answer = await post("log", { level: "warn", msg: "a\u001b[2J\nb", data: { c: 1 } });
    expect(answer).toEqual({ status: 200, body: { result: null } });
    expect(warn.mock.calls).toEqual([["[plugin:handled]", "a\\u{1b}[2J\\u{a}b", '{"c":1}']]);
  });

  it("tells the operator of a failure what it does not tell the plugin", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const answer = await post("kv/get", { key: "a" }, { db: {} as BridgeHandlerOptions["db"] });
    expect(answer).toEqual({ status: 500, body: { error: "Database error in kv/get" } });
    expect(warn).toHaveBeenCalledOnce();
  });

  it("keeps the status of the errors that EmDash defines, with EmDash's words", async () => {
    const error = Object.assign(new Error("a secret"), { code: "MEDIA_USAGE_ACTIVATION_IN_PROGRESS" });
    const db = {
      executeQuery: () => Promise.reject(error),
      selectFrom() {
        throw error;
      },
    } as unknown as BridgeHandlerOptions["db"];
    expect(await post("kv/get", { key: "a" }, { db })).toEqual({
      status: 503,
      body: {
        error: {
          code: "MEDIA_USAGE_ACTIVATION_IN_PROGRESS",
          message: "Media usage activation is in progress",
          status: 503,
        },
      },
    });
  });

  it("takes an upload's bytes as base64 or as numbers, and gives a file's bytes as base64", async () => {
    const files = new Map<string, Uint8Array>();
    const storage = {
      upload: async ({ key, body }: { key: string; body: Uint8Array }) => void files.set(key, body),
      delete: async () => {},
      download: async (key: string) => ({ body: new Blob([Buffer.from(files.get(key) ?? [])]).stream() }),
    } as unknown as NonNullable<BridgeHandlerOptions["storage"]>;
    const options = { storage, capabilities: ["media:write", "media:bytes:read"] };
    const file = { filename: "a.png", contentType: "image/png" };
    for (const bytes of ["AAH/", [0, 1, 255]]) {
      const uploaded = await post("media/upload", { ...file, bytes }, options);
      expect(uploaded).toMatchObject({ status: 200, body: { result: { mediaId: expect.any(String) } } });
      const { mediaId: id, storageKey } = (
        uploaded.body as { result: { mediaId: string; storageKey: string } }
      ).result;
      expect([...(files.get(storageKey) ?? [])]).toEqual([0, 1, 255]);
      expect(await post("media/readBytes", { id }, options)).toMatchObject({
        body: { result: { size: 3, bytes: "AAH/" } },
      });
    }
    for (const bytes of ["no base64!", 7]) {
      expect(await post("media/upload", { ...file, bytes }, options)).toEqual({
        status: 500,
        body: { error: "media/upload: bytes must be a base64-encoded string or an array of bytes" },
      });
    }
  });

  it("says why when the addon can't be loaded", async () => {
    vi.resetModules();
    vi.doMock("../host/native.js", () => ({ loadNative: () => ({ ok: false, reason: "it is missing" }) }));
    const { createBridgeHandler } = await import("../host/bridge-handler.js");
    expect(() => createBridgeHandler({} as BridgeHandlerOptions)).toThrow(
      "createBridgeHandler can't check calls: it is missing",
    );
    vi.doUnmock("../host/native.js");
  });
});
