/** The whole way: a plugin in workerd, the addon, the operation, and back. */
import type { SandboxOptions } from "emdash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routeErrorOf } from "../host/bridge/index.js";
import { WorkerdSandboxRunner } from "../host/runner.js";
import { createCollection, type TemporaryDatabase, temporaryDatabase } from "./support/database.js";

/** Applies a path of `ctx` to arguments; tells of an error what a plugin can see of it. */
const GENERIC = `
const walk = (ctx, path) => path.split(".").reduce(([, at], name) => [at, at?.[name]], [undefined, ctx]);
const apply = (ctx, { path, args }) => { const [owner, member] = walk(ctx, path); return member.call(owner, ...args); };
export default {
  hooks: { through: (event, ctx) => apply(ctx, event) },
  routes: {
    call: async ({ input }, ctx) => {
      try { return { value: await apply(ctx, input) }; }
      catch (error) { return { message: error.message, code: error.code }; }
    },
    through: ({ input }, ctx) => apply(ctx, input),
    throws: ({ input }) => { throw Object.assign(new Error(input.message), input); },
  },
};`;

const CAPABILITIES = ["content:write", "taxonomies:read", "media:write", "users:read", "email:send"];

const BUSY = {
  code: "MEDIA_USAGE_ACTIVATION_IN_PROGRESS",
  message: "Media usage activation is in progress",
  status: 503,
};

const request = { url: "http://site/", method: "POST", headers: {}, meta: {} as never };

describe("ctx", () => {
  let database: TemporaryDatabase;
  let runner: WorkerdSandboxRunner;
  let plugin: Awaited<ReturnType<WorkerdSandboxRunner["load"]>>;
  let refusal: unknown;
  const sent: unknown[] = [];

  beforeAll(async () => {
    database = await temporaryDatabase();
    await createCollection(database.db, "posts", { title: "string" });
    runner = new WorkerdSandboxRunner({
      db: database.db as SandboxOptions["db"],
      emailSend: async (...args) => void sent.push(args),
      beforeContentWrite: async () => {
        if (refusal) throw refusal;
      },
    });
    const manifest = { id: "generic", version: "1.0.0", capabilities: CAPABILITIES, storage: {} };
    plugin = await runner.load(manifest as never, GENERIC);
  });
  afterAll(async () => {
    await runner.terminateAll();
    await database.close();
  });

  async function call(path: string, ...args: unknown[]) {
    return (await plugin.invokeRoute("call", { path, args }, request)) as Answer;
  }

  it("writes content and reads it back", async () => {
    const { value } = await call("content.create", "posts", { title: "a", slug: "s" }, { locale: "de" });
    const { id } = value as { id: string };
    expect(value).toMatchObject({ type: "posts", data: { title: "a" }, locale: "de" });
    expect(await call("content.update", "posts", id, { title: "b" })).toMatchObject({
      value: { id, data: { title: "b" } },
    });
    expect(await call("content.createMany", "posts", [{ title: "c" }])).toMatchObject({
      value: [{ data: { title: "c" } }],
    });
    expect(await call("content.updateMany", "posts", [{ id, data: { title: "d" } }])).toMatchObject({
      value: [{ data: { title: "d" } }],
    });
    expect(await call("content.deleteMany", "posts", ["gone"])).toEqual({ value: 0 });
    expect(await call("content.delete", "posts", id)).toEqual({ value: true });
    expect((await call("content.update", "posts", id, {})).message).toBe(
      `Bridge call content/update failed: {"error":"Content not found or deleted: posts/${id}"}`,
    );
  });

  it("reaches every other subject", async () => {
    expect(await call("taxonomies.getTerms", "nothing")).toEqual({ value: [] });
    expect(await call("taxonomies.getEntryTerms", "posts", "x", { locale: "en" })).toEqual({ value: [] });
    expect(Array.isArray((await call("taxonomies.getAll")).value)).toBe(true);
    expect(await call("media.get", "gone")).toEqual({ value: null });
    expect(await call("media.list")).toEqual({ value: { items: [], hasMore: false } });
    expect(await call("media.delete", "gone")).toEqual({ value: false });
    expect(await call("users.get", "gone")).toEqual({ value: null });
    expect(await call("users.getByEmail", "a@b.c")).toEqual({ value: null });
    expect(await call("users.list", { role: 50 })).toEqual({ value: { items: [] } });
    expect(await call("kv.set", "settings:a", 1)).toEqual({});
    expect(await call("kv.list", "settings:")).toEqual({ value: [{ key: "settings:a", value: 1 }] });
    const message = { to: "a@b.c", subject: "s", text: "t" };
    expect(await call("email.send", message)).toEqual({ value: null });
    expect(sent).toEqual([[message, "generic"]]);
  });

  describe("when the host refuses a write with a status", () => {
    it("tells the plugin, with the code", async () => {
      refusal = Object.assign(new Error("whatever"), { code: BUSY.code, status: 503 });
      const { message, code } = await call("content.create", "posts", {});
      expect(code).toBe(BUSY.code);
      expect(message).toMatch(/^Bridge call content\/create failed: \{"error":\{/);
      expect(JSON.parse(message?.slice("Bridge call content/create failed: ".length) ?? "")).toEqual({
        error: BUSY,
      });
    });

    it("comes out of a route that lets it through", async () => {
      refusal = Object.assign(new Error("whatever"), { name: BUSY.code });
      const thrown = await plugin
        .invokeRoute("through", { path: "content.create", args: ["posts", {}] }, request)
        .catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(Error);
      expect(thrown).toMatchObject(BUSY);
    });

    it("is an error like any other out of a hook", async () => {
      refusal = Object.assign(new Error("whatever"), { code: BUSY.code });
      const thrown = await plugin
        .invokeHook("through", { path: "content.create", args: ["posts", {}] })
        .catch((error: unknown) => error);
      expect((thrown as Error).message).toContain(
        "Plugin generic:1.0.0 hook through failed: Bridge call content/create failed:",
      );
      expect(thrown).not.toHaveProperty("status");
    });
  });

  it("takes no other code for one that EmDash knows, and no text kills a plugin", async () => {
    for (const input of [
      { message: "m", code: "ROUTE_ERROR" },
      { message: "m", code: 7, name: "\ud800" },
    ]) {
      await expect(plugin.invokeRoute("throws", input, request)).rejects.toThrow(
        "Plugin generic:1.0.0 route throws failed: m",
      );
    }
    await expect(plugin.invokeRoute("throws", { message: "\ud800" }, request)).rejects.toThrow(
      "route throws failed: ",
    );
    expect(await call("media.get", "gone")).toEqual({ value: null });
  });
});

describe("a route error", () => {
  it.each([
    [{ code: BUSY.code }, BUSY],
    [{ code: BUSY.code, status: 503 }, BUSY],
    [{ name: BUSY.code }, BUSY],
    [{ code: BUSY.code, status: 500 }, undefined],
    [{ code: BUSY.code, name: "MEDIA_USAGE_ACTIVATION_CHECK_FAILED" }, undefined],
    [{ code: "toString" }, undefined],
    ["MEDIA_USAGE_ACTIVATION_IN_PROGRESS", undefined],
    [null, undefined],
  ])("of %j is %j", (error, expected) => {
    expect(routeErrorOf(error)).toEqual(expected);
  });
});

interface Answer {
  value?: unknown;
  message?: string;
  code?: string;
}
