/** `run`: a plugin's author and his plugin. Real processes, real databases. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { command, startCommand } from "../support/cli.js";
import { until } from "../support/until.js";

const AUDIT_LOG = fileURLToPath(import.meta.resolve("@emdash-cms/plugin-audit-log/sandbox"));

/** A folder with these files. */
function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "emdash-sandbox-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** A plugin's file. */
function plugin(code: string): string {
  return join(folderWith({ "mine.mjs": code }), "mine.mjs");
}

describe("a published plugin, @emdash-cms/plugin-audit-log", () => {
  it("answers its route on a database of EmDash's own, with the manifest that lies beside it", async () => {
    const { code, out, err } = await command(["run", AUDIT_LOG, "--route", "recent"]);
    expect([code, JSON.parse(out)]).toEqual([0, { entries: [] }]);
    const { version } = JSON.parse(readFileSync(join(AUDIT_LOG, "../manifest.json"), "utf8"));
    expect(err).toMatch(`audit-log ${version}: route recent, on a temporary database (`);
    expect(err).toMatch(/^! its manifest is .*manifest\.json$/m);
    expect(err).toMatch(/^✓ answered; its process had started in [\d.]+ ms$/m);
    expect(err).toMatch(/^ {2}calls on ctx +1 {2}of 1000$/m);
  });

  it("logs as it goes, to standard error", async () => {
    const event = JSON.stringify({
      collection: "posts",
      isNew: true,
      content: { id: "7", slug: "s", data: {} },
    });
    const { code, out, err } = await command([
      "run",
      AUDIT_LOG,
      "--hook",
      "content:afterSave",
      "--event",
      event,
    ]);
    expect([code, out]).toEqual([0, ""]);
    expect(err).toContain("[plugin:audit-log] + create content/posts/7\n");
    expect(err).toContain("it answered undefined");
  });
});

describe("an answer", () => {
  const ECHO = `export default {
    hooks: { echo: (event) => event, mail: (event, ctx) => ctx.email.send(event) },
    routes: {
      titles: async (_, ctx) => (await ctx.content.list("posts")).items.map(({ data }) => data.title).sort(),
      file: async (_, ctx) => {
        const { mediaId } = await ctx.media.upload("a.png", "image/png", new Uint8Array([1, 2, 3]));
        return (await ctx.media.get(mediaId)).size;
      },
      where: ({ request }) => request.url,
    },
  };`;

  it("is what the plugin made of an event: as text, from a file, or from standard input", async () => {
    const mine = plugin(ECHO);
    const event = { deep: { list: [1, null, "é"] } };
    const file = join(folderWith({ "event.json": JSON.stringify(event) }), "event.json");
    const ways = [
      { value: JSON.stringify(event) },
      { value: `@${file}` },
      { value: "-", stdin: JSON.stringify(event) },
    ];
    for (const { value, stdin = "" } of ways) {
      const { code, out } = await command(["run", mine, "--hook", "echo", "--event", value], { stdin });
      expect([code, JSON.parse(out)]).toEqual([0, event]);
    }
    const { out } = await command(["run", mine, "--hook", "echo"]);
    expect(JSON.parse(out)).toEqual({});
  });

  it("of a plugin that reads content finds some, with --seed", async () => {
    const manifest = { id: "reader", version: "1.2.3", capabilities: ["content:read"], storage: {} };
    const file = join(folderWith({ "m.json": JSON.stringify(manifest) }), "m.json");
    const { code, out, err } = await command([
      "run",
      plugin(ECHO),
      "--route",
      "titles",
      "--seed",
      "--manifest",
      file,
    ]);
    expect([code, JSON.parse(out)]).toEqual([0, ["A draft", "The first post", "The second post"]]);
    expect(err).toMatch(/^reader 1\.2\.3: route titles, on .* with sample content\)$/m);
  });

  it("of a plugin without a manifest is had without capabilities, and that is said", async () => {
    const { code, err } = await command(["run", plugin(ECHO), "--route", "titles"]);
    expect(code).toBe(1);
    expect(err).toContain('! no manifest: as "mine", without capabilities and storage');
    expect(err).toContain("Missing capability: content:read");
  });

  it("of a plugin that sends mail and stores files: mail is shown, files are kept for the while", async () => {
    const manifest = { id: "m", version: "1.0.0", capabilities: ["email:send", "media:write", "media:read"] };
    const file = join(folderWith({ "m.json": JSON.stringify(manifest) }), "m.json");
    const mine = plugin(ECHO);
    const mail = JSON.stringify({ to: "a@b.example", subject: "Hello", text: "Words" });
    const sent = await command(["run", mine, "--manifest", file, "--hook", "mail", "--event", mail]);
    expect(sent.code).toBe(0);
    expect(sent.err).toContain("[mail, not sent] to a@b.example: Hello\nWords\n");
    const stored = await command(["run", mine, "--manifest", file, "--route", "file"]);
    expect([stored.code, stored.out]).toEqual([0, "3\n"]);
  });

  it("of a route has a request like EmDash's, with the query", async () => {
    const { out } = await command(["run", plugin(ECHO), "--route", "where?limit=5"]);
    expect(JSON.parse(out)).toBe("http://localhost:4321/_emdash/api/plugins/mine/where?limit=5");
  });

  it("is part of one object with --json, with times, use and limits", async () => {
    const { code, out } = await command(["run", plugin(ECHO), "--hook", "echo", "--event", "7", "--json"]);
    expect([code, JSON.parse(out)]).toEqual([
      0,
      {
        ok: true,
        plugin: { id: "mine", version: "0.0.0" },
        kind: "hook",
        name: "echo",
        answer: 7,
        error: null,
        startMs: expect.any(Number),
        callMs: expect.any(Number),
        used: { cpuMs: expect.any(Number), memoryMb: expect.any(Number), subrequests: 0 },
        limits: expect.objectContaining({ cpuMs: 50, cpuRule: "average", memoryMb: 128 }),
      },
    ]);
  });
});

describe("a plugin that fails", () => {
  it("in its handler is shown with its own line", async () => {
    const mine = plugin(
      `export default {\n  hooks: {\n    run() {\n\tconst a = null;\n\treturn a.b;\n    },\n  },\n};\n`,
    );
    const { code, out, err } = await command(["run", mine, "--hook", "run"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(
      "✗ Plugin mine:0.0.0 hook run failed: Cannot read properties of null (reading 'b')\n",
    );
    expect(err).toContain("\n    at run (mine.mjs:5:11)\n");
    // Nothing of ours stands between.
    expect(err).not.toContain("#invoke");
    expect(err).toContain("\n  5 | \treturn a.b;\n    | \t         ^\n");
  });

  it.each([
    ["a syntax error", "export default {\n  hooks: { run() { return 1 2 } },\n};", "2 | "],
    ["an error at its start", "const a = 1;\nthrow new Error('too early');", "2 | "],
  ])("with %s is shown with its own line, too", async (_what, text, line) => {
    const { code, err } = await command(["run", plugin(text), "--hook", "run"]);
    expect(code).toBe(1);
    expect(err).toMatch(/^ {4}at .*mine\.mjs:2:\d+/m);
    expect(err).toContain(`\n  ${line}${text.split("\n")[1]}\n`);
  });

  it("because it never ends is told of the limit, and what it had used", async () => {
    const mine = plugin(`export default { hooks: { spin() { for (;;) {} } } };`);
    const { code, out, err } = await command(["run", mine, "--hook", "spin", "--json"]);
    expect(code).toBe(1);
    const { ok, error, used } = JSON.parse(out);
    expect(ok).toBe(false);
    expect(error.message).toBe(
      "Plugin mine exceeded CPU-time limit of 50ms on average, 500ms at once during hook:spin",
    );
    expect(used.cpuMs).toBeGreaterThanOrEqual(500);
    expect(err).toMatch(/^ {2}processor time +[5-9]\d\d(\.\d)? ms {2}of 50 ms on average, 500 ms at once$/m);
  });

  it("by Cloudflare's numbers, when the environment asks for these", async () => {
    const mine = plugin(`export default { hooks: { async run(_, ctx) {
      for (let at = 0; at < 11; at += 1) await ctx.kv.get("key");
    } } };`);
    const asked = ["run", mine, "--hook", "run"];
    expect(await command(asked)).toMatchObject({ code: 0 });
    const { code, err } = await command(asked, { env: { EMDASH_SANDBOX_LIMITS: "cloudflare" } });
    expect(code).toBe(1);
    expect(err).toContain("Too many subrequests");
    expect(err).toMatch(/^ {2}processor time +[\d.]+ ms {2}of 50 ms$/m);
    expect(err).toMatch(/^ {2}calls on ctx +10 {2}of 10$/m);
  });

  it("because it has no such hook or route hears which hooks it has", async () => {
    const mine = plugin(`export default { hooks: { one() {}, two() {} } };`);
    const hook = await command(["run", mine, "--hook", "three"]);
    expect(hook.code).toBe(1);
    expect(hook.err).toContain("✗ The plugin has no hook three, only: one, two\n");
    const route = await command(["run", mine, "--route", "three"]);
    expect(route.code).toBe(1);
    expect(route.err).toContain("Route not found: three");
  });

  it("because its manifest is none hears which field", async () => {
    const file = join(folderWith({ "m.json": `{ "id": "x", "version": 7 }` }), "m.json");
    const { code, err } = await command([
      "run",
      plugin("export default {};"),
      "--hook",
      "a",
      "--manifest",
      file,
    ]);
    expect(code).toBe(1);
    expect(err).toMatch(/^✗ Plugin can't be loaded: .*version/m);
  });
});

describe("what is missing is named, with how to have it", () => {
  it("a workerd", async () => {
    const env = { EMDASH_WORKERD_BIN: "/nonexistent" };
    const { code, out, err } = await command(["run", AUDIT_LOG, "--route", "recent"], { env });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("EMDASH_WORKERD_BIN: /nonexistent does not exist. Let it name");
  });

  it("EmDash, or a driver of SQLite", async () => {
    const folder = folderWith({ "package.json": "{}" });
    const own = join(folder, "node_modules/emdash-sandbox-native");
    cpSync("dist", join(own, "dist"), { recursive: true });
    cpSync("package.json", join(own, "package.json"));
    const here = { cwd: folder, main: join(own, "dist/cli/main.js") };
    const asked = ["run", plugin("export default {};"), "--hook", "a"];
    const without = await command(asked, here);
    expect([without.code, without.err]).toEqual([
      1,
      "✗ EmDash is not installed here, whose migrations make the database. Install it: npm install -D emdash kysely\n",
    ]);

    const emdash = join(folder, "node_modules/emdash");
    mkdirSync(join(emdash, "dist"), { recursive: true });
    writeFileSync(
      join(emdash, "package.json"),
      `{ "name": "emdash", "version": "0.32.0", "main": "dist/a.js" }`,
    );
    writeFileSync(join(emdash, "dist/a.js"), "");
    const driverless = await command(asked, here);
    expect(driverless.code).toBe(1);
    expect(driverless.err).toContain("npm install -D @libsql/client @libsql/kysely-libsql");
    expect(driverless.err).toContain("libSQL is not installed; better-sqlite3 is not installed");
  });
});

describe("how it is asked", () => {
  const mine = "examples/audit-log.mjs";
  it.each([
    [["run"], "which plugin?"],
    [["run", mine], "name a --hook or a --route"],
    [["run", mine, "--hook", "a", "--route", "b"], "name a --hook or a --route"],
    [["run", mine, "other.mjs", "--hook", "a"], "one plugin at a time"],
    [["run", mine, "--hook", "a", "--input", "1"], "--input goes with --route"],
    [["run", mine, "--route", "a", "--event", "1"], "--event goes with --hook"],
    [["run", mine, "--hook", "a", "--event", "{"], "--event is no JSON: "],
    [["run", mine, "--hook", "a", "--event", "@gone.json"], "--event can't be read: "],
    [["run", mine, "--hook", "a", "--event", "-"], "--event - is no JSON: "],
    [["run", "gone.mjs", "--hook", "a"], "the plugin can't be read: "],
    [["run", mine, "--hook", "a", "--manifest", "gone.json"], "the manifest can't be read: "],
    [["run", mine, "--hook", "a", "--manifest", mine], `${mine} is no JSON: `],
    [["run", mine, "--hook", "a", "--swift"], "Unknown option '--swift'"],
  ])("%j is answered with what is wrong with it, how to, and code 2", async (args, words) => {
    const { code, out, err } = await command(args);
    expect([code, out]).toEqual([2, ""]);
    expect(err.startsWith(`emdash-sandbox-native: ${words}`), err).toBe(true);
    expect(err).toContain("\nemdash-sandbox-native run <plugin.mjs> --hook <name>");
  });
});

describe("nothing is left in the temporary folder", () => {
  it.each(["run", "throws"])("after the hook %s", async (hook) => {
    const TMPDIR = folderWith({});
    const mine = plugin(`export default { hooks: { run() {}, throws() { throw 1; } } };`);
    await command(["run", mine, "--hook", hook], { env: { TMPDIR } });
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  it("when it is interrupted, which ends it by that very signal", async () => {
    const TMPDIR = folderWith({});
    const mine = plugin(
      `export default { hooks: { async wait(_, ctx) { ctx.log.info("here"); await new Promise(() => {}); } } };`,
    );
    const host = startCommand(["run", mine, "--hook", "wait"], { env: { TMPDIR } });
    await until(() => host.err.includes("[plugin:mine] here"), "the hook has begun");
    expect(readdirSync(TMPDIR)).not.toEqual([]);
    host.kill("SIGINT");
    expect(await host.ended).toEqual({ code: null, signal: "SIGINT" });
    expect(readdirSync(TMPDIR)).toEqual([]);
  });
});
