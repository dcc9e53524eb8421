/** A plugin may patch all that `fetch` is made of. What passes between guest and host must not go through its patch. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { echo, useOrigin } from "../support/origin.js";
import { ask, loadPlugin, makeRunner } from "../support/runner.js";

useConsole();
const origin = useOrigin(echo);
const manifest = { capabilities: ["network:request"], allowedHosts: ["127.0.0.1"] };

/** Names of classes whose methods and getters `guest/fetch.js` uses, and functions. */
const HOLDERS = [
  "Headers.prototype",
  "Request.prototype",
  "Response.prototype",
  "ReadableStream.prototype",
  "ReadableStreamDefaultReader.prototype",
  "ReadableStreamBYOBReader.prototype",
  "ReadableByteStreamController.prototype",
  "AbortSignal.prototype",
  "JSON",
  "Reflect",
  "Function.prototype",
  "Array.prototype",
  "Promise.prototype",
  "Object",
];

const FETCH = `const r = await ctx.http.fetch(input, { method: "POST", headers: { "x-a": "1" }, body: "b", signal: new AbortController().signal });
  return [r.status, await original(r)];`;

it("a plugin that breaks every built-in it can still fetches, because the guest has kept its own", async () => {
  const code = `
    const text = Response.prototype.text; const original = (r) => call.call(text, r); const call = Function.prototype.call;
    const bad = function () { throw new Error("broken"); };
    const names = [Headers.prototype, Request.prototype, ReadableStream.prototype, ReadableStreamBYOBReader.prototype,
      ReadableByteStreamController.prototype, JSON];
    for (const holder of names) for (const name of Object.getOwnPropertyNames(holder)) {
      const { configurable, value, get } = Object.getOwnPropertyDescriptor(holder, name);
      if (!configurable || name === "constructor") continue;
      if (typeof value === "function") Object.defineProperty(holder, name, { value: bad, configurable: true });
      else if (get) Object.defineProperty(holder, name, { get: bad, configurable: true });
    }
    globalThis.encodeURIComponent = globalThis.fetch = bad;
    for (const name of ["Headers", "Response", "ReadableStream", "Request"]) globalThis[name] = bad;
    export default { routes: { run: async ({ input }, ctx) => {
      const r = await ctx.http.fetch(input, { method: "POST", headers: { "x-a": "1" }, body: "b" });
      return text.call(r);
    } } };`;
  const plugin = await loadPlugin(makeRunner(), code, manifest);
  expect(JSON.parse((await ask(plugin, origin.url)) as string)).toMatchObject({ method: "POST", body: "b" });
});

it.each(HOLDERS)(
  "a plugin that listens at %s hears nothing of what guest and host say to each other",
  async (holder) => {
    const code = `
    const stringify = JSON.stringify; const apply = Reflect.apply; const define = Object.defineProperty;
    const text = Response.prototype.text; const original = (r) => apply(text, r, []);
    const names = Object.getOwnPropertyNames(${holder}); const describe = Object.getOwnPropertyDescriptor;
    const seen = [];
    const note = (values) => { for (let at = 0; at < values.length; at += 1) {
      if (typeof values[at] === "string") seen[seen.length] = values[at]; } };
    const spy = (real) => function (...given) { note(given);
      const result = new.target ? new real(...given) : apply(real, this, given); note([result]); return result; };
    for (const name of names) {
      const was = describe(${holder}, name);
      if (!was.configurable || name === "constructor") continue;
      if (typeof was.value === "function") define(${holder}, name, { ...was, value: spy(was.value) });
      else if (was.get) define(${holder}, name, { ...was, get: spy(was.get) });
    }
    export default { routes: {
      run: async ({ input }, ctx) => { ${FETCH} },
      seen: () => seen.filter((text) => /"(fetch|invocation|statusText|redirected)"|x-emdash-fetch|%22invocation%22/.test(text)) } };`;
    const plugin = await loadPlugin(makeRunner(), code, manifest);
    const [status] = (await ask(plugin, origin.url)) as [number];
    expect(status).toBe(200);
    expect(await ask(plugin, null, "seen")).toEqual([]);
  },
);
