/** What `ctx` holds, for whom, and when. */
import { beforeAll, describe, expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { createCollection, insertContent } from "../support/database.js";
import { ask, inPlugin, loadPlugin, makeRunner, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();

/** The text of what the promise or function throws. */
const TEXT = `const text = async (run) => { try { await run(); return "no error"; } catch (error) { return error.message; } };`;

describe("who and where a plugin is", () => {
  it("ctx.plugin has its id and version", async () => {
    expect(await inPlugin("return ctx.plugin", { manifest: { id: "me", version: "3.1.0-b" } })).toEqual({
      id: "me",
      version: "3.1.0-b",
    });
  });

  it("ctx.site is the site, whose address has no slash at its end", async () => {
    const siteInfo = {
      name: `"Q" & Ü`,
      url: "https://a.example/base//",
      locale: "de",
      trailingSlash: "always",
    };
    const runner = makeRunner({ siteInfo: siteInfo as never });
    expect(await inPlugin("return [ctx.site, ctx.url('/x?y#z')]", { runner })).toEqual([
      { ...siteInfo, url: "https://a.example/base" },
      "https://a.example/base/x?y#z",
    ]);
  });

  it("ctx.site has EmDash's defaults when the host says nothing", async () => {
    const runner = makeRunner({ siteInfo: undefined as never });
    expect(await inPlugin("return ctx.site", { runner })).toEqual({
      name: "",
      url: "",
      locale: "en",
      trailingSlash: "ignore",
    });
  });

  it("what one invocation writes into its ctx, the next does not see", async () => {
    const body = `const seen = [ctx.plugin.id, ctx.site.name, "extra" in ctx];
      ctx.plugin.id = ctx.site.name = ctx.extra = "changed"; return seen;`;
    const plugin = await loadPlugin(
      makeRunner(),
      `export default { routes: { run: (_, ctx) => { ${body} } } };`,
    );
    await ask(plugin);
    expect(await ask(plugin)).toEqual(["test", "Test", false]);
  });

  it.each([
    [`"page"`, `URL path must start with "/", got: "page"`],
    [`""`, `URL path must start with "/", got: ""`],
    [`"//evil.example"`, `URL path must not be protocol-relative, got: "//evil.example"`],
    [`"https://evil.example/"`, `URL path must start with "/", got: "https://evil.example/"`],
    ["undefined", "URL path must be a string, got: undefined"],
    ["5", "URL path must be a string, got: number"],
  ])("ctx.url(%s) is refused", async (path, message) => {
    expect(await inPlugin(`${TEXT} return text(() => ctx.url(${path}))`)).toBe(message);
  });
});

describe("reading content", () => {
  beforeAll(async () => {
    await createCollection(site.db, "pages", { title: "string" });
    await insertContent(site.db, "pages", { id: "01A", title: "A", slug: "a", status: "published" });
  });

  it.each(["content:read", "read:content", "content:write", "write:content"])(
    "%s lets it",
    async (capability) => {
      const manifest = { id: "reader", capabilities: [capability] };
      const runner = makeRunner({ db: site.db });
      const body = `return [await ctx.content.get("pages", "01A"), await ctx.content.list("pages", { limit: 1 })]`;
      const item = expect.objectContaining({
        id: "01A",
        type: "pages",
        data: expect.objectContaining({ title: "A" }),
      });
      expect(await inPlugin(body, { runner, manifest })).toMatchObject([
        item,
        { items: [item], hasMore: false },
      ]);
    },
  );

  it("is refused without the capability, by today's name of it", async () => {
    const body = `${TEXT} return Promise.all([text(() => ctx.content.get("pages", "01A")), text(() => ctx.content.list("pages"))])`;
    const manifest = { capabilities: ["media:read", "users:read"] };
    expect(await inPlugin(body, { runner: makeRunner({ db: site.db }), manifest })).toEqual([
      `Bridge call content/get failed: {"error":"Missing capability: content:read"}`,
      `Bridge call content/list failed: {"error":"Missing capability: content:read"}`,
    ]);
  });

  it("gives null or nothing for what is not there, and an error for no name of a collection", async () => {
    const body = `${TEXT} return [await ctx.content.get("pages", "none"), await ctx.content.get("nowhere", "01A"),
      (await ctx.content.list("nowhere")).items, await text(() => ctx.content.get("users; drop", "1")),
      await text(() => ctx.content.get("pages"))]`;
    const manifest = { capabilities: ["content:read"] };
    expect(await inPlugin(body, { runner: makeRunner({ db: site.db }), manifest })).toEqual([
      null,
      null,
      [],
      `Bridge call content/get failed: {"error":"Invalid collection name: users; drop"}`,
      `Bridge call content/get failed: {"error":"Missing required string parameter: id"}`,
    ]);
  });
});

describe("members that depend on a capability", () => {
  const body = "return [typeof ctx.users, typeof ctx.email]";
  it.each([
    [[], ["undefined", "undefined"]],
    [["users:read"], ["object", "undefined"]],
    [["read:users"], ["object", "undefined"]],
    [["email:send"], ["undefined", "object"]],
  ])("with %j ctx.users and ctx.email are %j", async (capabilities, types) => {
    expect(await inPlugin(body, { manifest: { capabilities } })).toEqual(types);
  });
});

it("media.getUploadUrl names what to use instead, as EmDash documents", async () => {
  expect(await inPlugin(`${TEXT} return text(() => ctx.media.getUploadUrl("a", "b"))`)).toBe(
    "getUploadUrl is not available in sandbox mode. Use media.upload() instead.",
  );
});

describe("a ctx that is used elsewhere", () => {
  it("works for a later invocation that finds it, because the invocation counts and not the object", async () => {
    const plugin = await loadPlugin(
      makeRunner({ db: site.db }),
      `let kept; export default { routes: {
         keep(_, ctx) { kept = ctx; },
         run: async () => { await kept.kv.set("kept", 5); return kept.kv.get("kept"); },
       } };`,
    );
    await ask(plugin, {}, "keep");
    expect(await ask(plugin)).toBe(5);
  });

  it("works from a timer, a microtask and an event of its invocation", async () => {
    const body = `
      await new Promise((resolve) => setTimeout(() => resolve(ctx.kv.set("timer", 1)), 1));
      await new Promise((resolve) => queueMicrotask(() => resolve(ctx.kv.set("microtask", 1))));
      const target = new EventTarget();
      const heard = new Promise((resolve) => target.addEventListener("x", () => resolve(ctx.kv.set("event", 1))));
      target.dispatchEvent(new Event("x"));
      await heard;
      return (await ctx.kv.list()).map(({ key }) => key)`;
    expect(await inPlugin(body, { runner: makeRunner({ db: site.db }), manifest: { id: "timers" } })).toEqual(
      ["event", "microtask", "timer"],
    );
  });

  it("is refused after its invocation's time, because then its authority is over", async () => {
    const plugin = await loadPlugin(
      makeRunner({ db: site.db, limits: { wallTimeMs: 1000 } }),
      `let refused = "nothing yet"; const late = (ctx) => ctx.kv.set("late", 1).then(() => "written", (e) => e.message);
       export default { routes: {
         keep(_, ctx) { setTimeout(async () => { refused = await late(ctx); }, 1300); },
         run: () => refused,
       } };`,
      { id: "late" },
    );
    await ask(plugin, {}, "keep");
    await until(async () => (await ask(plugin)) !== "nothing yet", "the late call's outcome");
    expect(await ask(plugin)).toBe(
      `Bridge call kv/set failed: {"error":"the hook or route that made this call is over"}`,
    );
    expect(printed).toEqual([]);
  });
});
