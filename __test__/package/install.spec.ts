/**
 * From the tarballs into an empty folder, as a site's owner installs them: with no install script run, no compiler in
 * the path, and nothing downloaded but packages.
 */
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { bin } from "../../scripts/ensure.mjs";
import { type Done, folderForAll, pack, packageJson, program, ROOT } from "../support/package.js";

const folder = folderForAll();
const site = join(folder, "site");
/** All that can be run there by its name. */
const tools = join(folder, "bin");

/** What a site with EmDash on libSQL has, at the versions that we test with. */
const PEERS = ["emdash", "kysely", "workerd", "@libsql/client", "@libsql/kysely-libsql"];

beforeAll(() => {
  const { main, platform } = pack(folder);
  mkdirSync(site);
  mkdirSync(tools);
  for (const tool of ["node", "npm", "npx", "sh"]) symlinkSync(whereIs(tool), join(tools, tool));
  writeFileSync(join(site, "package.json"), `{ "name": "site", "private": true, "type": "module" }`);
  const { devDependencies } = packageJson();
  const peers = PEERS.map((name) => `${name}@${devDependencies[name]}`);
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  const installed = program("npm", ["install", ...quiet, main, platform, ...peers], {
    cwd: site,
    env: bare(),
  });
  expect(installed).toMatchObject({ code: 0, err: "" });
}, 600_000);

describe("with neither a compiler nor cargo in the path", () => {
  it("which is so", () => {
    for (const compiler of ["cc", "gcc", "clang", "cargo", "rustc", "node-gyp", "python3", "make"])
      expect(inSite("sh", ["-c", `command -v ${compiler}`]).code, compiler).not.toBe(0);
  });

  it("npx emdash-sandbox-native doctor says that plugins can run, and runs one", () => {
    const { code, out } = inSite("npx", ["--no-install", "emdash-sandbox-native", "doctor", "--json"]);
    const { ok, checks, runner } = JSON.parse(out);
    expect([code, ok]).toEqual([0, true]);
    // It is the site's own workerd and EmDash that it sees.
    expect(runner.workerd.path.startsWith(join(realpathSync(site), "node_modules"))).toBe(true);
    expect(checks.find(({ id }: { id: string }) => id === "emdash")).toMatchObject({ status: "ok" });
  });

  it("npx emdash-sandbox-native run runs a published plugin on a database", () => {
    const audit = fileURLToPath(import.meta.resolve("@emdash-cms/plugin-audit-log/sandbox"));
    const { code, out } = inSite("npx", [
      "--no-install",
      "emdash-sandbox-native",
      "run",
      audit,
      "--route",
      "recent",
    ]);
    expect([code, JSON.parse(out)]).toEqual([0, { entries: [] }]);
  });

  it("a site's own code runs a plugin", () => {
    writeFileSync(
      join(site, "site.mjs"),
      `import { createSandboxRunner } from "emdash-sandbox-native/sandbox";
       const runner = createSandboxRunner({ db: {} });
       const plugin = await runner.load({ id: "p", version: "1.0.0", capabilities: [] },
         "export default { hooks: { ask: (event) => event + 1 } };");
       console.log(await plugin.invokeHook("ask", 41));
       await runner.terminateAll();`,
    );
    expect(inSite("node", ["site.mjs"])).toEqual({ code: 0, out: "42\n", err: "" });
  });
});

describe("types of the installed package", () => {
  it.each([
    ["node16", "node16"],
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("resolve with module %s and moduleResolution %s", (module, moduleResolution) => {
    writeFileSync(join(site, "consumer.ts"), CONSUMER);
    const tsc = join(ROOT, bin("typescript", "tsc"));
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--types", ""];
    const checked = program(
      process.execPath,
      [tsc, ...options, "--module", module, "--moduleResolution", moduleResolution, "consumer.ts"],
      { cwd: site },
    );
    expect(checked).toEqual({ code: 0, out: "", err: "" });
    // What is wrong is seen, so the types are not any.
    writeFileSync(join(site, "consumer.ts"), CONSUMER.replace("limits?.memoryMb", "limits?.memoryGb"));
    const wrong = program(
      process.execPath,
      [tsc, ...options, "--module", module, "--moduleResolution", moduleResolution, "consumer.ts"],
      { cwd: site },
    );
    expect(wrong.out).toContain("memoryGb");
  });
});

const CONSUMER = `
  import { createSandboxRunner as same, type RunnerStatus } from "emdash-sandbox-native";
  import { createSandboxRunner, WorkerdSandboxRunner } from "emdash-sandbox-native/sandbox";
  import type { SandboxOptions, SandboxRunner } from "emdash";
  declare const options: SandboxOptions;
  const runner: SandboxRunner = createSandboxRunner(options);
  const status: RunnerStatus = new WorkerdSandboxRunner(options).status();
  export const memory: number | undefined = status.limits?.memoryMb;
  export const all = [runner, same(options)];
`;

function bare(): NodeJS.ProcessEnv {
  const { HOME, TMPDIR, npm_config_cache, npm_config_registry, NPM_CONFIG_REGISTRY, NPM_CONFIG_USERCONFIG } =
    process.env;
  const same = {
    HOME,
    TMPDIR,
    npm_config_cache,
    npm_config_registry,
    NPM_CONFIG_REGISTRY,
    NPM_CONFIG_USERCONFIG,
  };
  return {
    ...Object.fromEntries(Object.entries(same).filter(([, value]) => value !== undefined)),
    PATH: tools,
  };
}

function inSite(tool: string, args: string[]): Done {
  return program(join(tools, tool), args, { cwd: site, env: bare() });
}

function whereIs(tool: string): string {
  if (tool === "node") return process.execPath;
  return realpathSync(program("sh", ["-c", `command -v ${tool}`]).out.trim());
}
