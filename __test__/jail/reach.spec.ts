/**
 * What a plugin's JavaScript can reach for. The lists are whole, so that a workerd that brings something new is noticed
 * before a plugin does; what is on them and could reach out is tried here or in `network.spec.ts`.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { builtinModules } from "node:module";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findWorkerd } from "../../host/workerd-binary.js";
import { useConsole } from "../support/console.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";

const site = useDatabase();
useConsole();

let server: Server;
let port: number;
let requests = 0;
beforeAll(async () => {
  server = createServer((_request, response) => {
    requests += 1;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** Those of Node's modules that workerd has for a plugin, without what is below them (`assert/strict`). */
const OF_NODE = [
  ...["assert", "async_hooks", "buffer", "constants", "crypto", "diagnostics_channel", "dns", "events"],
  ...["fs/promises", "module", "net", "path", "process", "querystring", "stream", "string_decoder", "sys"],
  ...["test", "timers", "tls", "url", "util", "zlib"],
];

const OF_CLOUDFLARE = [
  "ai",
  "br",
  "durable-objects",
  "node",
  "pipelines",
  "sockets",
  "vectorize",
  "workers",
  "workflows",
];

/** Every name that begins so and stands anywhere in the program. */
function namesInWorkerd(start: string): string[] {
  const workerd = findWorkerd(process.env);
  if (!workerd.ok) throw new Error(workerd.reason);
  const bytes = readFileSync(workerd.binary.path);
  const names = new Set<string>();
  for (let at = bytes.indexOf(start); at >= 0; at = bytes.indexOf(start, at + 1)) {
    const [name] = /^[\w:/-]+/.exec(bytes.toString("latin1", at, at + 80)) ?? [];
    if (name !== undefined && name !== start) names.add(name);
  }
  return [...names];
}

describe("modules", () => {
  const importing = `const there = [];
    for (const name of input) try { await import(name); there.push(name) } catch {}
    return there`;

  it("of Node are those of the list, and no other", async () => {
    const names = new Set([
      ...builtinModules.filter((name) => !name.startsWith("_")),
      ...["fs/promises", "sqlite", "sea", "test", "test/reporters", "wasi", "inspector", "trace_events"],
    ]);
    const input = [...names].map((name) => `node:${name.replace("node:", "")}`);
    const there = (await inPlugin(importing, { input })) as string[];
    const below = (name: string) => OF_NODE.some((known) => name.startsWith(`${known}/`));
    const found = there.map((name) => name.slice("node:".length)).filter((name) => !below(name));
    expect(found.sort()).toEqual([...OF_NODE].sort());
  });

  it("of Cloudflare are those of the list, whatever else its binary names", async () => {
    const named = namesInWorkerd("cloudflare:");
    expect(named).toContain("cloudflare:workers");
    const there = (await inPlugin(importing, { input: named })) as string[];
    expect(there.sort()).toEqual(OF_CLOUDFLARE.map((name) => `cloudflare:${name}`).sort());
  });

  it("that are workerd's own, that lie on a disk or come from the network, are nobody's", async () => {
    const inside = ["node-internal:", "cloudflare-internal:", "workerd:"].flatMap(namesInWorkerd);
    expect(inside.length).toBeGreaterThan(10);
    const elsewhere = [
      "file:///etc/passwd",
      "/etc/passwd",
      "https://example.com/a.js",
      "data:text/javascript,1",
    ];
    expect(await inPlugin(importing, { input: [...inside, ...elsewhere] })).toEqual([]);
  });

  it("of a require are those of import, by createRequire from anywhere and by Module", async () => {
    const input = [
      // Those with a line before them are parts of `stream` and `tls`.
      ...builtinModules.filter((name) => !name.startsWith("_")).flatMap((name) => [name, `node:${name}`]),
      ...["cloudflare:", "node-internal:", "cloudflare-internal:", "workerd:"].flatMap(namesInWorkerd),
      ...[
        "file:///etc/passwd",
        "/etc/passwd",
        "../../etc/passwd",
        "https://example.com/a.js",
        "./channel.node",
      ],
    ];
    const body = `const module = await import("node:module");
      const requires = ["file:///bundle/plugin.js", "file:///plugin.js", "file:///etc/x.js"].map((from) => module.createRequire(from));
      const tried = [...requires, ...["_load", "runMain"].map((name) => module[name])].filter(Boolean);
      const there = new Set();
      for (const name of input) for (const way of tried) try { if (way(name)) there.add(name) } catch {}
      const same = requires[0]("cloudflare:sockets").connect === (await import("cloudflare:sockets")).connect;
      return [[...there], same]`;
    const [there, sameSockets] = (await inPlugin(body, { input })) as [string[], boolean];
    const known = new Set([...OF_NODE, ...OF_CLOUDFLARE.map((name) => `cloudflare:${name}`)]);
    const found = new Set(there.map((name) => name.replace(/^node:/, "").replace(/(?<!^fs)\/.*/, "")));
    expect([...found].filter((name) => !known.has(name))).toEqual([]);
    expect(found.size).toBeGreaterThan(20);
    expect(sameSockets).toBe(true);
  });

  it("of Cloudflare's products hold classes that want a binding, and nothing else", async () => {
    const body = `const of = async (name) => Object.keys(await import("cloudflare:" + name)).sort();
      return [await of("pipelines"), await of("vectorize"), await of("workflows"), await of("br")]`;
    expect(await inPlugin(body)).toEqual([
      ["PipelineTransformationEntrypoint"],
      ["DistanceMetric", "KnownModel", "MetadataRetrievalLevel"],
      ["NonRetryableError"],
      ["BrowserRendering"],
    ]);
  });

  it("give no entry of the plugin's worker, no binding and no cache", async () => {
    const body = `const workers = await import("cloudflare:workers");
      const sizes = ["env", "exports", "cache", "tracing"].map((name) => Reflect.ownKeys(workers[name]).length);
      const given = workers.withEnv({ BACKING: 1 }, () => Reflect.ownKeys(workers.env));
      const cached = await caches.default.match("https://x.example/").catch((error) => error.message);
      return [sizes, given, cached]`;
    expect(await inPlugin(body)).toEqual([[0, 0, 0, 0], ["BACKING"], "No Cache was configured"]);
  });
});

describe("files", () => {
  it("of node:fs/promises are in workerd's memory, never the machine's", async () => {
    const path = `/tmp/emdash-sandbox-${process.pid}`;
    const body = `const fs = await import("node:fs/promises");
      const told = (promise) => promise.then((value) => value, (error) => "error: " + error.message);
      await fs.writeFile(input, "written");
      const read = [];
      for (const path of [input, "/etc/passwd", "/proc/self/environ", "/bundle/../etc/passwd", "/dev/../etc/passwd"]) {
        read.push(await told(fs.readFile(path, "utf8")));
      }
      await told(fs.symlink("/etc/passwd", "/tmp/link"));
      read.push(await told(fs.readFile("/tmp/link", "utf8")));
      return [read, await fs.readdir("/"), await fs.readdir("/dev")]`;
    const [read, root, devices] = (await inPlugin(body, { input: path })) as [string[], string[], string[]];
    expect(read[0]).toBe("written");
    const passwd = readFileSync("/etc/passwd", "utf8");
    for (const text of read.slice(1)) expect(text).toMatch(/^error: /);
    expect(read.join()).not.toContain(passwd.split("\n")[0]);
    expect(root.sort()).toEqual(["bundle", "dev", "tmp"]);
    expect(devices.sort()).toEqual(["full", "null", "random", "zero"]);
    expect(existsSync(path)).toBe(false);
  });

  it("of the plugin's bundle are the guest's and its own, without configuration or token", async () => {
    const body = `const fs = await import("node:fs/promises");
      const names = await fs.readdir("/bundle");
      const texts = await Promise.all(names.map((name) => fs.readFile("/bundle/" + name, "utf8").catch((e) => e.message)));
      return [names, texts.join()]`;
    const [names, texts] = (await inPlugin(body)) as [string[], string];
    expect(names).toContain("plugin.js");
    expect(texts).not.toMatch(/[\w-]{40,}\.[\w-]{43}/);
  });
});

describe("process", () => {
  it("has nothing of the machine", async () => {
    const body = `const names = new Set();
      const { default: module } = await import("node:process");
      for (let at = module; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) for (const name of Object.getOwnPropertyNames(at)) names.add(name);
      return [[...names].filter((name) => name !== "constructor").sort(), ["fs", "os", "child_process", "vm", "worker_threads"].map((name) => typeof module.getBuiltinModule("node:" + name))]`;
    const [names, modules] = (await inPlugin(body)) as [string[], string[]];
    expect(names).toEqual(["env", "exit", "features", "getBuiltinModule", "nextTick", "platform"]);
    expect(new Set(modules)).toEqual(new Set(["undefined"]));
  });
});

describe("requests", () => {
  it.each([
    ["navigator.sendBeacon", "navigator.sendBeacon(url, 'x')"],
    [
      "a request with cf options",
      "await fetch(url, { cf: { resolveOverride: '127.0.0.1', cacheEverything: true } })",
    ],
    ["a redirect that is followed", "await fetch(Response.redirect(url).headers.get('location'))"],
    ["an EventSource of a stream", "EventSource.from(new Response('data: x\\n\\n').body)"],
    ["a WebSocket by fetch", "await fetch(url, { headers: { upgrade: 'websocket' } })"],
    [
      "a request through an address in another form",
      "await fetch(url.replace('127.0.0.1', '[::ffff:7f00:1]'))",
    ],
    ["browser rendering", "new (await import('cloudflare:br')).BrowserRendering({ fetch })"],
    [
      "an AI model",
      "const { Ai } = await import('cloudflare:ai'); const fetcher = { fetch: (_, init) => fetch(url, init) }; await new Ai(fetcher).run('@cf/x', { prompt: 'x' })",
    ],
    [
      "an AI gateway",
      "const { AiGateway } = await import('cloudflare:ai'); const fetcher = { fetch: (_, init) => fetch(url, init) }; await new AiGateway(fetcher, 'g').run({ provider: 'x', endpoint: url, headers: {}, query: {} })",
    ],
    [
      "a search of AI's",
      "const { AutoRAG } = await import('cloudflare:ai'); const fetcher = { fetch: (_, init) => fetch(url, init) }; await new AutoRAG(fetcher, 'r').search({ query: 'x' })",
    ],
    [
      "a pipeline's entry point",
      "const { PipelineTransformationEntrypoint } = await import('cloudflare:pipelines'); await new PipelineTransformationEntrypoint({}, {})._ping(url)",
    ],
    [
      "a socket of a require",
      "(await import('node:module')).createRequire('file:///x.js')('cloudflare:sockets').connect('127.0.0.1:' + input)",
    ],
    ["an HTTP server for node", "(await import('cloudflare:node')).httpServerHandler({ port: input })"],
  ])("by %s reach nothing on this machine", async (_how, expression) => {
    const body = `const url = "http://127.0.0.1:" + input;
      const deadline = new Promise((resolve) => setTimeout(resolve, 500));
      await Promise.race([(async () => { ${expression} })().catch(() => {}), deadline]);`;
    await inPlugin(body, { input: port });
    expect(requests).toBe(0);
  });
});

describe("identity", () => {
  const STORES = `routes: {
    put: (_, ctx) => ctx.kv.set("large", ctx.plugin.id.padEnd(2 * 1024 * 1024, ".")),
    get: async (_, ctx) => (await ctx.kv.get("large"))?.replace(/\\.+$/, "") ?? null,
  }`;

  it("is not changed by headers that every object inherits, because what the guest asks with inherits nothing", async () => {
    const runner = makeRunner({ db: site.db });
    // Whatever has no `headers` of its own inherits these. What comes of one that is sent, `header.spec.ts` tries.
    const forging = `Object.defineProperty(Object.prototype, "headers", { configurable: true, writable: true,
        value: { "x-emdash-sandbox-token": "eyJwbHVnaW4iOiJ2aWN0aW0ifQ.AAAA" } });
      export default { ${STORES} };`;
    const forger = await loadPlugin(runner, forging, { id: "forger" });
    const victim = await loadPlugin(runner, `export default { ${STORES} };`, { id: "victim" });
    await ask(forger, {}, "put");
    expect(await ask(forger, {}, "get")).toBe("forger");
    expect(await ask(victim, {}, "get")).toBeNull();
  });

  it("and the way to the host can't be had from any module or global", async () => {
    const body = `const { ServiceStub } = await import("cloudflare:workers");
      const seen = new Set(), found = [];
      const look = (value, path, depth) => {
        if (depth > 4 || (typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
        seen.add(value);
        let keys = [];
        try { keys = Reflect.ownKeys(value) } catch {}
        if (value instanceof ServiceStub) found.push(path);
        for (const key of keys) { try { look(value[key], path + "." + String(key), depth + 1) } catch {} }
      };
      look(globalThis, "globalThis", 0);
      look(ctx, "ctx", 0);
      for (const name of input) look(await import(name), name, 0);
      return found`;
    const input = [
      ...OF_NODE.map((name) => `node:${name}`),
      ...OF_CLOUDFLARE.map((name) => `cloudflare:${name}`),
      ...["boot.js", "channel.js", "context.js", "emdash"],
    ];
    expect(await inPlugin(body, { input })).toEqual([]);
  });
});

it("a plugin that ends its own process, in any way that it has, hurts itself alone", async () => {
  const runner = makeRunner();
  const neighbour = await loadPlugin(runner, routeOf("return 'pong'"), { id: "neighbour" });
  const code = routeOf(`if (input === "abort") (await import("cloudflare:workers")).abortIsolate("x");
    if (input === "exit") process.exit(0);
    return "alive"`);
  const plugin = await loadPlugin(runner, code, { id: "ending" });
  for (const way of ["abort", "exit"]) {
    await expect(ask(plugin, way)).rejects.toMatchObject({ name: "SandboxUnavailableError" });
    expect(await ask(plugin)).toBe("alive");
    expect(await ask(neighbour)).toBe("pong");
  }
});
