/** Bodies of any kind to every method, down to a real database: each gets an answer or an error, and soon. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { operations } from "../../host/bridge/index.js";
import { insertMediaRow } from "../../host/bridge/media.js";
import type { MediaStorage } from "../../host/bridge/operation.js";
import { createBridgeHandler } from "../../host/bridge-handler.js";
import {
  createCollection,
  insertContent,
  type TemporaryDatabase,
  temporaryDatabase,
} from "../support/database.js";
import { bodies, KNOWN_ID } from "./fuzz-bodies.js";

/** For each method: more than 10,000 in all. The seed is fixed: a body that finds something finds it again. */
const BODIES = 300;
const SEED = 20_261_122;

const methods = [...new Set([...operations.keys(), "log", "storage/nope", ""])];

const everything = [
  ...["content:read", "content:write", "media:read", "media:write", "media:bytes:read", "users:read"],
  ...["taxonomies:read", "email:send"],
];

const file = { filename: "a.png", contentType: "image/png", size: 1 };

const storage: MediaStorage = {
  upload: async () => ({}),
  delete: async () => ({}),
  download: async () => ({ body: new Blob(["x"]).stream() }),
};

describe("any body", () => {
  let database: TemporaryDatabase;
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);

  beforeAll(async () => {
    database = await temporaryDatabase();
    await createCollection(database.db, "posts", { title: "string", body: "json", rank: "integer" });
    await insertContent(database.db, "posts", { id: KNOWN_ID, title: "there" });
    await insertMediaRow(database.db, { ...file, id: KNOWN_ID, key: `${KNOWN_ID}.png` });
    process.on("unhandledRejection", onUnhandled);
  });
  afterAll(async () => {
    process.off("unhandledRejection", onUnhandled);
    await database.close();
  });
  beforeEach(() => {
    for (const level of ["debug", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation(() => {});
    }
  });
  afterEach(() => vi.restoreAllMocks());

  it.each(methods)("to %j gets an answer or an error", async (method) => {
    const handle = createBridgeHandler({
      pluginId: "fuzz",
      version: "1.0.0",
      capabilities: everything,
      allowedHosts: [],
      storageCollections: ["notes", "__proto__", "constructor"],
      storageConfig: { notes: { indexes: ["rank", "slug"] } },
      db: database.db,
      emailSend: () => async () => {},
      storage,
    });
    let answered = 0;
    for (const body of bodies(`${SEED} ${method}`, BODIES)) {
      const request = new Request(`http://fuzz/${method}`, { method: "POST", body });
      const response = await handle(request);
      const answer = (await response.json()) as Record<string, unknown>;
      if (response.status === 200) {
        answered += 1;
        expect([[], ["result"]], body).toContainEqual(Object.keys(answer));
      } else {
        expect(response.status, body).toBe(500);
        expect(answer, body).toEqual({ error: expect.any(String) });
        expect(answer.error, body).not.toMatch(/SQLITE|syntax error|constraint|no such column|near "/i);
      }
    }
    // A fuzz that is always refused at the door finds nothing behind it.
    expect(answered > 0).toBe(method === "log" || operations.has(method));
  });

  it("left no rejection unhandled", async () => {
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  });
});
