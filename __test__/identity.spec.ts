/** Ids, versions and code are data: any of them work, side by side, and none is taken for another or for a name. */
import { describe, expect, it } from "vitest";
import { useConsole } from "./support/console.js";
import { ask, inPlugin, loadPlugin, makeRunner, manifestOf, routeOf, useDatabase } from "./support/runner.js";

const site = useDatabase();
useConsole();

const IDS = [
  ...["a-b", "a_b", "A-B", "a.b", "a:b", "a/b", "a\\b"],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "main", "internet", "plugin.js"],
  "x".repeat(180),
  `${"x".repeat(179)}y`,
  ...["../../etc/passwd", "/", ".", " ", "%", "_"],
  ...[`"`, `'`, "`", `"), (name = "evil`, "*/", "/*", "//", "#", "a\nb", "a\r\nb", "a\tb", "\u001b[2J"],
  ...["🦀", "é", "e\u0301", "\u2028", "\ufeff", `$${"{id}"}`, "$(id)", "null", "undefined"],
];

describe("ids that mean something elsewhere", () => {
  const code = `export default { routes: {
    put: ({ input }, ctx) => ctx.kv.set("mine", input),
    get: async (_, ctx) => [ctx.plugin.id, await ctx.kv.get("mine"), (await ctx.kv.list()).length],
  } };`;

  it("serve side by side in one runner, each with its own rows", async () => {
    const runner = makeRunner({ db: site.db });
    const plugins = await Promise.all(IDS.map((id) => loadPlugin(runner, code, { id })));
    expect(plugins.map(({ id }) => id)).toEqual(IDS.map((id) => `${id}:1.0.0`));
    await Promise.all(plugins.map((plugin, at) => ask(plugin, at, "put")));
    const seen = await Promise.all(plugins.map((plugin) => ask(plugin, undefined, "get")));
    expect(seen).toEqual(IDS.map((id, at) => [id, at, 1]));
    const rows = await site.db.selectFrom("_plugin_storage").select(["plugin_id", "data"]).execute();
    const kept = new Map(rows.map((row) => [row.plugin_id, row.data]));
    expect(kept).toEqual(new Map(IDS.map((id, at) => [id, String(at)])));
  });

  it.each(IDS)("name the plugin in its errors and to its runner: %j", async (id) => {
    const runner = makeRunner();
    const storage = { c: { indexes: [] } };
    const plugin = await loadPlugin(runner, routeOf(`throw new Error("x")`), { id, version: id, storage });
    await expect(ask(plugin)).rejects.toThrow(new Error(`Plugin ${id}:${id} route run failed: x`));
    expect(runner.getPluginStorageConfig(id, id)).toMatchObject({ c: {} });
    await runner.unloadPlugin(`${id}:${id}`);
    await expect(ask(plugin)).rejects.toThrow(`Plugin sandbox unavailable for ${id}:${id}: it was unloaded`);
  });
});

it("two versions of a plugin are two plugins, which share what the plugin has stored", async () => {
  const runner = makeRunner({ db: site.db });
  const code = `export default { routes: { put: (_, ctx) => ctx.kv.set("v", ctx.plugin.version), run: (_, ctx) => ctx.kv.get("v") } };`;
  const [one, two] = [
    await loadPlugin(runner, code, { id: "two-versions", version: "1" }),
    await loadPlugin(runner, code, { id: "two-versions", version: "2" }),
  ];
  await ask(one, {}, "put");
  expect(await ask(two)).toBe("1");
  await two.terminate();
  expect(await ask(one)).toBe("1");
});

describe("code", () => {
  it.each([
    ["quotes of every kind", `"double" 'single' \`back\``],
    ["what ends a comment or a literal", `*/ /* // "), (name = "evil", esModule = " <!-- --> # \\`],
    ["line ends of every kind", "a\nb\r\nc\rd\u2028e\u2029f"],
    ["NUL and other control characters", "\u0000\u0001\u001b\u007f\u0085"],
    ["characters outside of ASCII", "é ß € 🦀 e\u0301 \ufeff \uffff"],
    ["escapes of the configuration's format", '\\x00 \\\\ \\" {fd:0} {fd:1} $x'],
  ])("may hold %s", async (_what, text) => {
    // In a comment, in a template and in a string, as text and as JSON has it.
    const template = text.replace(/[\\`]|\$\{/g, "\\$&");
    const comment = text.replaceAll("*/", "* /");
    const code = `/* ${comment} */ const t = \`${template}\`; const s = ${JSON.stringify(text)};
      export default { routes: { run: () => [t, s] } };`;
    // A template's line ends are all "\\n": that is JavaScript's rule.
    const lines = text.replace(/\r\n?/g, "\n");
    expect(await ask(await loadPlugin(makeRunner(), code))).toEqual([lines, text]);
  });

  it("with half a character is refused, because no source text can hold it and replacing it would change it", async () => {
    await expect(loadPlugin(makeRunner(), `export default "\ud800";`)).rejects.toThrow(
      new TypeError(
        "Plugin can't be loaded: plugin code holds an unpaired surrogate, which no source text can",
      ),
    );
  });

  it.each([undefined, null, 5, {}, Buffer.from("export default {}")])(
    "that is no text is refused: %s",
    async (code) => {
      await expect(makeRunner().load(manifestOf(), code as string)).rejects.toThrow(
        new TypeError("Plugin can't be loaded: plugin code must be a string"),
      );
    },
  );

  it("of a megabyte runs", async () => {
    const filler = `/* ${"é".repeat(500_000)} */`;
    expect(await ask(await loadPlugin(makeRunner(), `${filler} ${routeOf("return 1")}`))).toBe(1);
  });
});

describe("a manifest that can't be used is refused with the field's name", () => {
  const cycle: Record<string, unknown> = manifestOf() as never;
  cycle.self = cycle;

  it.each<[what: string, manifest: unknown, words: RegExp]>([
    ["null", null, /manifest must be an object, not null/],
    ["undefined", undefined, /manifest must be an object, not null/],
    ["a text", "manifest", /manifest must be an object, not a string/],
    ["a list", [], /manifest must be an object, not an array/],
    [
      "no id",
      { ...manifestOf(), id: undefined },
      /manifest field `id` is missing: it must be a non-empty string/,
    ],
    [
      "an id that is a number",
      manifestOf({ id: 5 }),
      /manifest field `id` must be a non-empty string, not a number/,
    ],
    ["an empty id", manifestOf({ id: "" }), /manifest field `id` must not be empty/],
    ["an id with NUL", manifestOf({ id: "a\0" }), /manifest field `id` must not contain NUL/],
    [
      "an id with half a character",
      manifestOf({ id: "\ud800" }),
      /`id` must not contain an unpaired surrogate/,
    ],
    [
      "an id of 2000 characters",
      manifestOf({ id: "x".repeat(2000) }),
      /`id` must be at most 1024 bytes long, not 2000/,
    ],
    ["no version", { ...manifestOf(), version: undefined }, /manifest field `version` is missing/],
    [
      "a version that is a number",
      manifestOf({ version: 1 }),
      /`version` must be a non-empty string, not a number/,
    ],
    [
      "capabilities as a text",
      manifestOf({ capabilities: "content:read" }),
      /`capabilities` must be an array of strings, not a string/,
    ],
    [
      "a capability that is no text",
      manifestOf({ capabilities: ["content:read", 5] }),
      /`capabilities\[1\]` must be a string, not a number/,
    ],
    ["hosts as a text", manifestOf({ allowedHosts: "*" }), /`allowedHosts` must be an array of strings/],
    ["storage as a text", manifestOf({ storage: "notes" }), /`storage` must be an object of collections/],
    [
      "a collection that is no object",
      manifestOf({ storage: { notes: true } }),
      /`storage\.notes` must be an object/,
    ],
    [
      "an index that is no text",
      manifestOf({ storage: { notes: { indexes: [5] } } }),
      /`storage\.notes\.indexes\[0\]`/,
    ],
    ["a cycle", cycle, /self/],
    ["a BigInt", manifestOf({ admin: 1n }), /BigInt/],
  ])("%s", async (_what, manifest, words) => {
    const runner = makeRunner();
    const refusal = await runner.load(manifest as never, "export default {};").catch((error) => error);
    expect(refusal).toMatchObject({
      name: "TypeError",
      message: expect.stringMatching(/^Plugin can't be loaded: /),
    });
    expect(refusal.message).toMatch(words);
    expect(runner.currentEpoch).toBe(0);
  });

  it("while what EmDash leaves away is no mistake", async () => {
    const runner = makeRunner();
    const plugin = await runner.load({ id: "bare", version: "1", storage: [] } as never, routeOf("return 1"));
    expect(await ask(plugin)).toBe(1);
  });
});

describe("validateToken", () => {
  it.each([
    ...[
      "",
      ".",
      "..",
      "a.b",
      "null",
      "x".repeat(100_000),
      "🦀.🦀",
      "\0",
      "eyJhIjoxfQ.AAAA",
      `${"A".repeat(43)}.${"A".repeat(43)}`,
    ],
    ...[null, undefined, 5, {}, []],
  ])("takes %j for nobody's", (token) => {
    expect(makeRunner().validateToken(token as string)).toBeNull();
  });
});

it("a plugin that reads all it can reach finds no token and no code of the guest's session", async () => {
  const body = `const found = {};
    for (const [name, value] of Object.entries(globalThis)) found[name] = typeof value;
    const modules = {};
    for (const name of ["boot.js", "channel.js", "context.js", "intrinsics.js", "cloudflare:workers"]) {
      try { modules[name] = Object.keys(await import(name)); } catch (error) { modules[name] = []; }
    }
    return JSON.stringify([found, modules, process.env, process.argv])`;
  const text = (await inPlugin(body)) as string;
  // A token is two base64url texts with a dot in between.
  expect(text).not.toMatch(/[\w-]{40,}\.[\w-]{43}/);
});
