/** Where a plugin may fetch from. `src/egress/` has the rules; here they are asked through a real plugin. */
import { describe, expect, it } from "vitest";
import { createBridgeHandler } from "../../host/bridge-handler.js";
import { useConsole } from "../support/console.js";
import { type Handler, useOrigin } from "../support/origin.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf } from "../support/runner.js";

const output = useConsole();

const handler: Handler = (request, response) => {
  if (request.url === "/metadata")
    return response.writeHead(302, { location: "http://169.254.169.254/" }).end();
  return response.setHeader("set-cookie", ["a=1", "b=2"]).end(`of ${request.headers.host}`);
};
const origin = useOrigin(handler);

const FETCH = "return ctx.http.fetch(input, {}).then((r) => r.text(), (error) => error.message)";

function refused(words: string): string {
  return `Bridge call http/fetch failed: ${JSON.stringify({ error: words })}`;
}

const PLUGINS: [what: string, manifest: Record<string, unknown>, input: unknown, words: string][] = [
  ["no capability", {}, "https://a.example", "Missing capability: network:request"],
  ["no capability, and no address", {}, 7, "Missing capability: network:request"],
  [
    "no hosts",
    { capabilities: ["network:request"] },
    "no url",
    `Plugin "test" has no allowed hosts configured. Add hosts to the plugin's allowedHosts array to enable HTTP requests.`,
  ],
  ["no URL", { capabilities: ["network:fetch"], allowedHosts: ["*"] }, "no url", "Invalid URL"],
  [
    "nothing",
    { capabilities: ["network:request"], allowedHosts: ["*"] },
    null,
    "Missing required string parameter: url",
  ],
  [
    "another host",
    { capabilities: ["network:request"], allowedHosts: ["a.example", "*.b.example"] },
    "https://c.example/",
    `Plugin "test" is not allowed to fetch from host "c.example". Allowed hosts: a.example, *.b.example`,
  ],
  [
    "a private address, though any host is allowed",
    { capabilities: ["network:request"], allowedHosts: ["*"] },
    "http://10.1.2.3/",
    `Plugin "test": blocked fetch to "10.1.2.3": URLs targeting private IP addresses are not allowed`,
  ],
  [
    "an internal name",
    { capabilities: ["network:request:unrestricted"] },
    "http://metadata.google.internal/",
    `Plugin "test": blocked fetch to "metadata.google.internal": URLs targeting internal hosts are not allowed`,
  ],
  [
    "another scheme",
    { capabilities: ["network:fetch:any"] },
    "file:///etc/passwd",
    `Plugin "test": blocked fetch to "": Scheme 'file:' is not allowed`,
  ],
];

it.each(PLUGINS)("%s is refused in EmDash's words", async (_what, manifest, input, words) => {
  expect(await inPlugin(FETCH, { manifest, input })).toBe(refused(words));
});

describe("the operator's exception", () => {
  it("opens what it names, to those who may go there, and is told at the start", async () => {
    const runner = makeRunner();
    const manifest = { capabilities: ["network:request:unrestricted"] };
    const plugin = await loadPlugin(runner, routeOf(FETCH), manifest);
    expect(await ask(plugin, origin.url)).toBe(`of ${new URL(origin.url).host}`);
    expect(await ask(plugin, "http://127.0.0.2/")).toContain("private IP addresses");
    expect(await ask(plugin, `${origin.url}/metadata`)).toBe(
      refused(
        `Plugin "test": blocked fetch to "169.254.169.254": URLs targeting private IP addresses are not allowed`,
      ),
    );
    expect(output.map(({ line }) => line).join("\n")).toContain(
      "private addresses, too: 127.0.0.1, [::1], localhost",
    );
    const named = origin.url.replace("127.0.0.1", "localhost");
    expect(await ask(plugin, named)).toBe(`of ${new URL(named).host}`);
  });

  it.each(["*", "http://a", "a:0", "::1"])("%j is refused by the variable's name", (list) => {
    const before = process.env.EMDASH_SANDBOX_PRIVATE_HOSTS;
    process.env.EMDASH_SANDBOX_PRIVATE_HOSTS = list;
    try {
      expect(() => makeRunner()).toThrow(/EMDASH_SANDBOX_PRIVATE_HOSTS must be/);
    } finally {
      process.env.EMDASH_SANDBOX_PRIVATE_HOSTS = before;
    }
  });
});

describe("createBridgeHandler", () => {
  const make = (capabilities: string[], allowedHosts: string[]) =>
    createBridgeHandler({
      pluginId: "test",
      version: "1",
      capabilities,
      allowedHosts,
      storageCollections: [],
      db: {} as never,
      emailSend: () => null,
    });
  const call = async (handle: ReturnType<typeof make>, body: unknown) => {
    const request = new Request("http://bridge/http/fetch", { method: "POST", body: JSON.stringify(body) });
    const response = await handle(request);
    return [response.status, await response.json()] as [number, Record<string, unknown>];
  };

  it("goes the same way out, and answers in the form of EmDash's other runners", async () => {
    const [status, { result }] = await call(make(["network:fetch"], ["127.0.0.1"]), { url: origin.url });
    expect(status).toBe(200);
    expect(result).toMatchObject({
      status: 200,
      statusText: "OK",
      headers: { "set-cookie": "b=2" },
      bodyBase64: Buffer.from(`of ${new URL(origin.url).host}`).toString("base64"),
      setCookie: ["a=1", "b=2"],
      url: `${origin.url}/`,
      redirected: false,
    });
  });

  it.each([
    [[], ["*"], {}, "Missing capability: network:request"],
    [["network:fetch"], ["*"], {}, "Missing required string parameter: url"],
    [["network:fetch"], ["*"], { url: "x", init: 7 }, "http/fetch: init must be an object"],
    [
      ["network:fetch"],
      ["*"],
      { url: "http://[::1]:1/", init: { method: 7 } },
      "http/fetch: init.method must be a string",
    ],
    [
      ["network:fetch"],
      ["*"],
      { url: "http://10.0.0.1/" },
      `Plugin "test": blocked fetch to "10.0.0.1": URLs targeting private IP addresses are not allowed`,
    ],
  ])("with %j and %j refuses %j", async (capabilities, hosts, body, words) => {
    expect(await call(make(capabilities, hosts), body)).toEqual([500, { error: words }]);
  });
});
