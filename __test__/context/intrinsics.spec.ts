/** A plugin may patch every built-in of its own world. What passes between guest and host must not go through its patch. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, useDatabase } from "../support/runner.js";

const site = useDatabase();
useConsole();

/** Every function of these is replaced by one that notes what it is given and then does its work. */
const SPY = `
  const original = { stringify: JSON.stringify, apply: Reflect.apply };
  const seen = [];
  export function note(values) {
    for (const value of values) {
      let text;
      try { text = typeof value === "string" ? value : original.apply(original.stringify, JSON, [value]); } catch {}
      if (typeof text === "string" && text.length < 10000) seen[seen.length] = text;
    }
  }
  function spy(holder, name) {
    const real = Object.getOwnPropertyDescriptor(holder, name);
    if (typeof real?.value !== "function" || !real.configurable) return;
    Object.defineProperty(holder, name, { ...real, value: function (...given) {
      note([this, ...given]);
      return new.target ? Reflect.construct(real.value, given, new.target) : original.apply(real.value, this, given);
    } });
  }`;

const USE = `
  export default {
    hooks: { h: async (event, ctx) => { await ctx.kv.set("secret-key", "v"); ctx.log.debug("m"); return event; } },
    routes: {
      // What looks like a frame of the channel: it names an invocation, a call or an answer.
      run: () => seen.filter((text) => /"(invoke|invocation|call|result|answer|stored|ready)":/.test(text)),
      fail: () => { throw new Error("failed"); },
    },
  };`;

async function framesSeen(patches: string): Promise<unknown> {
  const plugin = await loadPlugin(makeRunner({ db: site.db }), SPY + patches + USE);
  expect(await plugin.invokeHook("h", { a: "x".repeat(50) })).toEqual({ a: "x".repeat(50) });
  await expect(ask(plugin, {}, "fail")).rejects.toThrow("route fail failed: failed");
  return ask(plugin);
}

it.each([
  ["JSON", `for (const name of ["parse", "stringify"]) spy(JSON, name);`],
  [
    "Promise",
    `for (const name of ["then", "catch", "finally"]) spy(Promise.prototype, name); spy(Promise, "resolve");`,
  ],
  ["Map", `for (const name of ["get", "set", "delete", "has"]) spy(Map.prototype, name);`],
  [
    "fetch, Request and Response",
    `spy(globalThis, "fetch"); spy(Request.prototype, "text"); spy(Response.prototype, "text");`,
  ],
  [
    "WebSocket",
    `for (const name of ["send", "accept", "addEventListener"]) spy(WebSocket.prototype, name);
    for (const name of ["addEventListener", "dispatchEvent"]) spy(EventTarget.prototype, name);`,
  ],
  ["Object", `for (const name of ["hasOwn", "keys", "entries", "assign", "freeze"]) spy(Object, name);`],
  [
    "String and Array",
    `for (const name of ["startsWith", "slice"]) spy(String.prototype, name);
    for (const name of ["push", "map", Symbol.iterator]) spy(Array.prototype, name);`,
  ],
  ["Function", `for (const name of ["call", "apply", "bind"]) spy(Function.prototype, name);`],
  [
    "globals that are classes",
    `for (const name of ["Map", "Promise", "Proxy", "Error", "Response", "URL", "String", "WebSocketPair"]) spy(globalThis, name);`,
  ],
  [
    "AsyncLocalStorage",
    `import { AsyncLocalStorage } from "node:async_hooks";
    for (const name of ["run", "getStore"]) spy(AsyncLocalStorage.prototype, name);`,
  ],
  ["Reflect", `for (const name of ["apply", "construct"]) spy(Reflect, name);`],
])("a plugin that patches %s sees no frame, and works", async (_what, patches) => {
  expect(await framesSeen(patches)).toEqual([]);
});

it.each([
  [
    "a toJSON for every object",
    `Object.defineProperty(Object.prototype, "toJSON", { configurable: true, value() { note(Object.entries(this).length ? [{ ...this, toJSON: undefined }] : []); return this; } });`,
  ],
  [
    "getters for what frames hold",
    `for (const name of ["error", "value", "hook", "route", "stored", "payload", "result"])
    Object.defineProperty(Object.prototype, name, Object.assign(Object.create(null), { configurable: true,
      get() { note([this]); }, set(value) { Object.defineProperty(this, name, Object.assign(Object.create(null), { value })); } }));`,
  ],
  [
    "a then for every object",
    `Object.defineProperty(Object.prototype, "then", { configurable: true, get() { note([this]); } });`,
  ],
])("a plugin that gives Object.prototype %s sees no frame, and works", async (_what, patches) => {
  expect(await framesSeen(patches)).toEqual([]);
});

it("a plugin that breaks every built-in it can hurts only itself", async () => {
  const runner = makeRunner({ db: site.db });
  const breaking = `const bad = () => { throw new Error("broken"); };
    JSON.parse = JSON.stringify = Object.keys = Object.hasOwn = bad;
    Map.prototype.get = Map.prototype.set = Promise.prototype.then = String.prototype.startsWith = bad;
    WebSocket.prototype.send = EventTarget.prototype.addEventListener = Response.prototype.text = bad;
    export default { routes: { run: async ({ input }, ctx) => [input, await ctx.kv.get("x")] } };`;
  const plugin = await loadPlugin(runner, breaking);
  expect(await ask(plugin, { a: 1 })).toEqual([{ a: 1 }, null]);
});

it("a plugin that imports the guest's modules gets at no frame of its session through them", async () => {
  const code = `
    export default { routes: { async run(_, ctx) {
      const { default: boot } = await import("boot.js");
      const write = ctx.kv.set("large", "x".repeat(2 ** 21)).catch((error) => error.message);
      const frames = [];
      for (const number of [0, 1, 2]) {
        const response = await boot.fetch(new Request("http://plugin/frames/" + number), {});
        if (response.status !== 404) frames.push((await response.text()).slice(0, 40));
      }
      await write;
      return frames;
    } } };`;
  expect(await ask(await loadPlugin(makeRunner({ db: site.db }), code))).toEqual([]);
});

it("a plugin that patches what large frames are sent with gets hold neither of one nor of the way to the host", async () => {
  const code = `
    import * as workers from "cloudflare:workers";
    const seen = [];
    for (const holder of [globalThis.Fetcher, workers.ServiceStub, workers.RpcStub]) {
      if (typeof holder?.prototype?.fetch !== "function") continue;
      const real = holder.prototype.fetch;
      holder.prototype.fetch = function (...given) { seen.push([typeof this, given.length]); return real.apply(this, given); };
    }
    export default { routes: { async run(_, ctx) { await ctx.kv.set("large", "x".repeat(2 ** 21)); return seen; } } };`;
  expect(await ask(await loadPlugin(makeRunner({ db: site.db }), code))).toEqual([]);
});
