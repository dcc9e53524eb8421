/** How large a fetch's bodies may be when an operator says so, and how many fetches connect at once. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createBridgeHandler } from "../../host/bridge-handler.js";
import { useConsole } from "../support/console.js";
import { useOrigin } from "../support/origin.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

useConsole();
afterEach(() => vi.unstubAllEnvs());

const MIB = 2 ** 20;

/** Requests that have come, and are answered together. */
const held: (() => void)[] = [];
let onHeld = () => {};
const origin = useOrigin((request, response, body) => {
  if (request.url !== "/hold")
    return response.end(body.length > 0 ? `${body.length}` : Buffer.alloc(2 * MIB));
  held.push(() => response.end("held"));
  return onHeld();
});

const manifest = { capabilities: ["network:request"], allowedHosts: ["127.0.0.1"] };

describe("EMDASH_SANDBOX_MAX_FETCH_MB", () => {
  const FETCH = `const error = ({ message }) => message;
    const got = await ctx.http.fetch(input).then((r) => r.arrayBuffer()).then((b) => b.byteLength, error);
    const post = (size) => ctx.http.fetch(input, { method: "POST", body: new Uint8Array(size) }).then((r) => r.text(), error);
    return [got, await post(${1.5 * MIB}), await post(${1.5 * MIB} + 1)]`;
  const refused = (words: string) => `Bridge call http/fetch failed: ${JSON.stringify({ error: words })}`;

  it("narrows what a plugin may send and get", async () => {
    vi.stubEnv("EMDASH_SANDBOX_MAX_FETCH_MB", "1.5");
    expect(await inPlugin(FETCH, { manifest, input: origin.url })).toEqual([
      refused("The body of a response may have at most 1572864 bytes when decoded"),
      `${1.5 * MIB}`,
      refused("The body of a request may have at most 1572864 bytes"),
    ]);
  });

  it("widens it, too", async () => {
    vi.stubEnv("EMDASH_SANDBOX_MAX_FETCH_MB", "32");
    const body = `const body = new Uint8Array(${32 * MIB}); return (await ctx.http.fetch(input, { method: "POST", body })).text()`;
    const runner = makeRunner({ limits: { memoryMb: 512, cpuMs: 20_000 } });
    expect(await inPlugin(body, { runner, manifest, input: origin.url })).toBe(`${32 * MIB}`);
  });

  it("holds for the bridge handler, whose bodies come whole", async () => {
    vi.stubEnv("EMDASH_SANDBOX_MAX_FETCH_MB", "1");
    const handle = createBridgeHandler({
      pluginId: "test",
      version: "1",
      capabilities: ["network:request"],
      allowedHosts: ["127.0.0.1"],
      storageCollections: [],
      db: {} as never,
      emailSend: () => null,
    });
    const fetched = async (init: object) => {
      const body = JSON.stringify({ url: origin.url, init });
      const response = await handle(new Request("http://bridge/http/fetch", { method: "POST", body }));
      return ((await response.json()) as { error?: unknown }).error;
    };
    expect(await fetched({})).toBe("The body of a response may have at most 1 MiB when decoded");
    const body = (length: number) => ({ method: "POST", bodyType: "string", body: "x".repeat(length) });
    expect(await fetched(body(MIB + 1))).toBe("The body of a request may have at most 1 MiB");
    expect(await fetched(body(MIB))).toBeUndefined();
  });
});

describe("createBridgeHandler", () => {
  const handler = () =>
    createBridgeHandler({
      pluginId: "test",
      version: "1",
      capabilities: ["network:request"],
      allowedHosts: ["127.0.0.1"],
      storageCollections: [],
      db: {} as never,
      emailSend: () => null,
    });

  it("lets a fetch take as long as an invocation may", async () => {
    vi.stubEnv("EMDASH_SANDBOX_WALL_TIME_MS", "400");
    const body = JSON.stringify({ url: `${origin.url}/hold` });
    const left = origin.closed();
    const response = await handler()(new Request("http://bridge/http/fetch", { method: "POST", body }));
    expect(await response.json()).toEqual({ error: "the hook or route that made this call is over" });
    await left;
    held.length = 0;
  });

  it("tells the operator once which private hosts are open", () => {
    vi.stubEnv("EMDASH_SANDBOX_PRIVATE_HOSTS", "notice.example");
    handler();
    handler();
    const notices = vi
      .mocked(console.warn)
      .mock.calls.filter((words) => words.join(" ").includes("notice.example"));
    expect(notices).toHaveLength(1);
  });
});

it("by Cloudflare's preset six fetches connect at once, and the seventh waits for one of them", async () => {
  vi.stubEnv("EMDASH_SANDBOX_LIMITS", "cloudflare");
  const seven = "Promise.all(Array.from({ length: 7 }, async () => (await ctx.http.fetch(input)).text()))";
  const plugin = await loadPlugin(makeRunner(), routeOf(`return ${seven}`), manifest);
  const six = new Promise<void>((resolve) => {
    onHeld = () => held.length === 6 && resolve();
  });
  const answers = ask(plugin, `${origin.url}/hold`);
  await six;
  expect(origin.open).toBe(6);
  onHeld = () => held.at(-1)?.();
  held.shift()?.();
  for (const answer of held.splice(0, 5)) answer();
  expect(await answers).toEqual(Array(7).fill("held"));
});
