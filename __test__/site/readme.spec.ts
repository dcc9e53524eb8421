/**
 * "An empty folder, the tarballs, the README": the release is published to a registry of this test, as CONTRIBUTING.md
 * says; a site on the runner that ours replaces is switched by the README's own lines; the site is built and lived with.
 */
import {
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
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { platformName } from "../../scripts/ensure.mjs";
import { publishRelease, shell, switchedSite } from "../../scripts/readme-site.mjs";
import { type Registry, startRegistry } from "../../scripts/registry.mjs";
import { freePort, type SiteServer, seedSite, startSite } from "../../scripts/site-server.mjs";
import { packageJson, program } from "../support/package.js";
import { workerdsOf } from "../support/processes.js";
import { until } from "../support/until.js";
import { type Ask, signIn, siteReason } from "./support/site.js";

const PLUGIN = `export default {
  hooks: { ask: (event) => event, "content:afterSave": async (event, ctx) => { ctx.log.info("saved " + event.content.id); } },
  routes: { history: async ({ request }, ctx) => [request.url, (await ctx.content.list("posts")).items.length] },
};`;
const MANIFEST = { id: "mine", version: "1.0.0", capabilities: ["content:read"] };

const { name, version } = packageJson();

describe.skipIf(siteReason !== null)(
  `the README, followed${siteReason ? ` (left out: ${siteReason})` : ""}`,
  () => {
    let folder: string;
    let site: string;
    let registry: Registry;
    let release: Awaited<ReturnType<typeof publishRelease>>;

    beforeAll(async () => {
      // Here, and not above: where no test of it is to run nothing would remove it.
      folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-readme-"));
      site = join(folder, "site");
      registry = await startRegistry();
      release = await publishRelease(join(folder, "release"), registry);
      mkdirSync(site);
      await switchedSite(site, registry);
      await shell("npx astro build --silent", site, {
        ASTRO_TELEMETRY_DISABLED: "1",
        NODE_ENV: "production",
      });
    }, 900_000);
    afterAll(async () => {
      await registry?.close();
      // A site's packages are 30,000 files, which a busy disk takes its time to remove.
      rmSync(folder, { recursive: true, force: true });
    }, 180_000);

    describe("npm publish", () => {
      it("publishes every platform's package first, and then the one that names them", () => {
        const platforms = readdirSync("npm").map((platform) => `${name}-${platform}@${version}`);
        expect(registry.published().slice(0, -1).sort()).toEqual(platforms.sort());
        expect(registry.published().at(-1)).toBe(`${name}@${version}`);
      });

      it("changes package.json and nothing else, which git checkout package.json puts back", () => {
        expect(release).toEqual({ changed: ["M package.json"], left: "" });
      });
    });

    describe("npm install emdash-sandbox-native workerd", () => {
      it("brings the package and this platform's, of the others nothing, as files and not as links", () => {
        const found = readdirSync(join(site, "node_modules"), { withFileTypes: true }).filter((entry) =>
          entry.name.startsWith(name),
        );
        expect(found.map((entry) => [entry.name, entry.isDirectory()])).toEqual([
          [name, true],
          [`${name}-${platformName()}`, true],
        ]);
      });

      it("makes both dependencies of the site itself, and the configuration differs in the one line", () => {
        const { dependencies } = JSON.parse(readFileSync(join(site, "package.json"), "utf8"));
        expect(dependencies).toMatchObject({ [name]: `^${version}`, workerd: expect.any(String) });
        const config = readFileSync(join(site, "astro.config.mjs"), "utf8");
        expect(config).toContain('sandboxRunner: "emdash-sandbox-native/sandbox"');
        expect(config).not.toMatch(/sandbox-workerd|\bexternal\b|noExternal/);
      });
    });

    describe("the built site", () => {
      let server: SiteServer;
      let ask: Ask;
      beforeAll(async () => {
        const data = join(folder, "data");
        mkdirSync(data);
        const port = await freePort();
        const link = await seedSite(data, `http://localhost:${port}`, site);
        server = await startSite({ folder: data, port, site });
        ask = await signIn(link);
      });
      afterAll(() => server?.stop("SIGKILL"));

      it("runs the README's plugin in a process of its own, with the addon that npm brought", async () => {
        expect((await fetch(server.url)).status).toBe(200);
        await until(() => workerdsOf(server.pid).length === 1, "the plugin runs");
        const maps = readFileSync(`/proc/${server.pid}/maps`, "utf8");
        const loaded = new Set(maps.match(/\S+\.node$/gm)?.filter((path) => path.includes(name)));
        expect([...loaded]).toEqual([
          join(site, "node_modules", `${name}-${platformName()}`, `${name}.${platformName()}.node`),
        ]);
      });

      it("has its audit log record what is saved", async () => {
        const saved = await ask("content/posts", { data: { title: "Switched" }, slug: "switched" });
        expect(saved.body.success).toBe(true);
        await until(
          () => server.log().includes("[plugin:audit-log] + create content/posts/"),
          "it is recorded",
        );
        const { body } = await ask("plugins/audit-log/recent");
        expect(body.data).toMatchObject({ entries: [{ collection: "posts", action: "create" }] });
      });
    });

    describe("the commands that come with it", () => {
      const here = (command: string) => program("sh", ["-c", command], { cwd: site });

      beforeAll(() => {
        writeFileSync(join(site, "plugin.mjs"), PLUGIN);
        writeFileSync(join(site, "manifest.json"), JSON.stringify(MANIFEST));
      });

      it("npx emdash-sandbox-native doctor", () => {
        const { code, out } = here("npx emdash-sandbox-native doctor");
        expect([code, out]).toEqual([0, expect.stringContaining("\nPlugins can run here.\n")]);
        expect(out).toContain(join(site, "node_modules"));
      });

      it.each([
        `npx emdash-sandbox-native run plugin.mjs --hook content:afterSave --event '{"collection":"posts","content":{"id":"1"},"isNew":true}'`,
      ])("%s", (command) => {
        const { code, out, err } = here(command);
        expect([code, out], err).toEqual([0, ""]);
        expect(err).toContain("[plugin:mine] saved 1\n");
      });

      it.each([
        ["npx emdash-sandbox-native run plugin.mjs --hook <name> --event '{}'", "<name>"],
        ["npx emdash-sandbox-native run plugin.mjs --hook name", /name$/],
      ])("%s", (command, placeholder) => {
        const { code, out, err } = here(command.replace(placeholder, "ask"));
        expect([code, out], err).toEqual([0, "{}\n"]);
      });

      it.each([
        "npx emdash-sandbox-native run plugin.mjs --route 'history?limit=5' --manifest manifest.json --seed",
      ])("%s", (command) => {
        const { code, out, err } = here(command);
        expect([code, JSON.parse(out)], err).toEqual([0, [expect.stringMatching(/history\?limit=5$/), 3]]);
      });
    });

    it("leaves nothing of the repository in the site, which then would not be one elsewhere", () => {
      expect(existsSync(join(site, "node_modules", name, "host"))).toBe(false);
    });
  },
);
