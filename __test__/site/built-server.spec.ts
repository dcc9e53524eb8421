/** A built EmDash server has EmDash within its bundle, and this package outside of it: what that must not change. */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { platformName } from "../../scripts/ensure.mjs";
import { SITE } from "../../scripts/site.mjs";
import { npm, ROOT } from "../support/package.js";
import { workerdsOf } from "../support/processes.js";
import { until } from "../support/until.js";
import { siteReason, useSite } from "./support/site.js";

const SERVER = join(SITE, "dist/server");

/** The package and its platform's, as they are installed there. */
const OURS = ["", `-${platformName()}`].map((end) =>
  join(ROOT, SITE, `node_modules/emdash-sandbox-native${end}`),
);

describe.skipIf(siteReason !== null)(`a built site${because(siteReason)}`, () => {
  describe("the bundle", () => {
    const files = siteReason === null ? allFiles(join(SITE, "dist")) : [];
    const scripts = files.filter((file) => /\.m?js$/.test(file)).map((file) => readFileSync(file, "utf8"));

    it("imports the runner from node_modules, because the package says so, not the site's configuration", () => {
      const imports = scripts.flatMap(
        (text) => text.match(/from\s*["'][^"']*emdash-sandbox-native[^"']*["']/g) ?? [],
      );
      expect(imports.map((text) => text.replaceAll("'", '"'))).toEqual([
        'from "emdash-sandbox-native/sandbox"',
      ]);
      expect(readFileSync(join(SITE, "astro.config.mjs"), "utf8")).not.toMatch(/\bexternal\b|noExternal/);
    });

    it("holds neither the addon nor our code, because Node loads both from the package", () => {
      expect(files.length).toBeGreaterThan(50);
      expect(files.filter((file) => /\.node$|launcher|workerd$/.test(file))).toEqual([]);
      // What only host/ and the addon's types say.
      expect(scripts.filter((text) => /EMDASH_SANDBOX_|emdash-sandbox-launcher/.test(text))).toEqual([]);
    });

    it("holds EmDash, so that the package's own import of it would be a second copy", () => {
      const middleware = readFileSync(join(SERVER, "virtual_astro_middleware.mjs"), "utf8");
      expect(middleware).toContain("class EmDashRuntime");
      expect(middleware).not.toMatch(/from\s*["']emdash["']/);
    });
  });

  describe("the packages that it runs from", () => {
    it.each([
      [".", OURS[0]],
      [`./npm/${platformName()}`, OURS[1]],
    ])(
      "are files of the tarball of %s, to the byte, and no link to this repository",
      (folder, installed = "") => {
        const { out } = npm(["pack", folder, "--dry-run", "--json", "--ignore-scripts"]);
        const [{ files }] = JSON.parse(out) as [{ files: { path: string }[] }];
        expect(realpathSync(installed)).toBe(installed);
        const there = allFiles(installed).map((path) => path.slice(installed.length + 1));
        expect(there.sort()).toEqual(files.map(({ path }) => path).sort());
        const differing = there.filter(
          (path) => !readFileSync(join(installed, path)).equals(readFileSync(join(ROOT, folder, path))),
        );
        expect(differing).toEqual([]);
      },
    );
  });

  describe("its server", () => {
    const site = useSite();

    it("runs each plugin in a workerd of its own", async () => {
      await fetch(site.url);
      await until(() => workerdsOf(site.pid).length === 4, "four plugins run");
    });

    it("has loaded the addon of the platform's package, and none from this repository's folders", () => {
      const mapped = readFileSync(`/proc/${site.pid}/maps`, "utf8").match(
        /\S*emdash-sandbox-native\S*\.node$/gm,
      );
      const name = `emdash-sandbox-native.${platformName()}.node`;
      expect([...new Set(mapped)]).toEqual([join(OURS[1] ?? "", name)]);
    });

    it("tells plugins of the site that runs: its name, address and language, and where its pages are", async () => {
      const { body } = await site.ask("plugins/about/site");
      expect(body.data).toEqual({
        site: { name: "A site with plugins", url: site.url, locale: "en", trailingSlash: "ignore" },
        url: `${site.url}/a/path`,
        plugin: { id: "about", version: "1.0.0" },
      });
      const page = await (await fetch(site.url)).text();
      expect(page).toContain(`<meta name="plugin-about" content="A site with plugins ${site.url}/ en">`);
    });

    it("knows the site's languages, which the bundled EmDash keeps", async () => {
      const german = await site.ask("plugins/about/translate", { locale: "de", title: "hallo" });
      expect(german.body.data).toEqual({ locale: "de" });
      const french = await site.ask("plugins/about/translate", { locale: "fr", title: "salut" });
      expect(french).toEqual(
        routeError(
          'Plugin about:1.0.0 route translate failed: Bridge call content/create failed: {"error":"Locale \\"fr\\" is not configured for this site"}',
        ),
      );
    });

    it("answers a failing route with EmDash's code and our text", async () => {
      const missing = await site.ask("plugins/about/nothing");
      expect(missing).toEqual(
        routeError("Plugin about:1.0.0 route nothing failed: Route not found: nothing"),
      );
      const eats = await site.ask("plugins/hostile/eat");
      expect(eats).toEqual(routeError("Plugin hostile exceeded memory limit of 128MB during route:eat"));
    });
  });

  describe("its server, with a workerd that does not start", () => {
    const site = useSite({ env: { EMDASH_WORKERD_BIN: "/bin/false" } });

    it("serves the site, and its errors have their class, by name, since its classes are not the site's", async () => {
      const saved = await site.ask("content/posts", { data: { title: "Saved" }, slug: "saved" });
      expect(saved.body.success).toBe(true);
      expect((await fetch(`${site.url}/posts/hello`)).status).toBe(200);
      const route = await site.ask("plugins/about/site");
      const unavailable = "Plugin sandbox unavailable for about:1.0.0: its process ended with exit code 1";
      expect(route).toEqual(routeError(unavailable));
      expect(site.log()).toContain(
        "beforeSave hook error: SandboxUnavailableError: Plugin sandbox unavailable for",
      );
    });
  });
});

function routeError(message: string) {
  return { status: 400, body: { success: false, error: { code: "ROUTE_ERROR", message } } };
}

function allFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function because(reason: string | null): string {
  return reason === null ? "" : ` (left out: ${reason})`;
}
