/** What a release consists of: what is in the tarballs, how large they are, and what the package linters say of them. */
import { cpSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { reachable } from "../../scripts/declarations.mjs";
import { bin, platformName } from "../../scripts/ensure.mjs";
import {
  folderForAll,
  listTarball,
  npm,
  pack,
  packageJson,
  program,
  ROOT,
  type Tarballs,
} from "../support/package.js";

const folder = folderForAll();
let tarballs: Tarballs;
beforeAll(() => {
  tarballs = pack(folder);
}, 120_000);

const sizeOf = (files: Map<string, { size: number }>) =>
  [...files.values()].reduce((sum, { size }) => sum + size, 0);

describe("the package", () => {
  it("holds what is built and what is read, and nothing else", () => {
    const files = listTarball(tarballs.main);
    const top = [...new Set([...files.keys()].map((path) => path.split("/", 1)[0]))];
    expect(top.sort()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "dist",
      "index.d.ts",
      "package.json",
    ]);
    const strange = [...files.keys()].filter(
      (path) => path.startsWith("dist/") && !/\.(js|d\.ts)$/.test(path),
    );
    expect(strange).toEqual([]);
    expect(files.get("dist/cli/main.js")).toBeDefined();
    // Of the declarations those that the two entries lead to.
    const typed = reachable([join(ROOT, "dist/index.d.ts"), join(ROOT, "dist/sandbox.d.ts")]);
    const declared = [...files.keys()].filter((path) => path.endsWith(".d.ts"));
    expect(declared.sort()).toEqual([...typed].map((path) => relative(ROOT, path)).sort());
    expect(declared.length).toBeLessThan(20);
  });

  it("is small: half as much again as today, and something is in it that does not belong", () => {
    const [packed, unpacked] = [statSync(tarballs.main).size, sizeOf(listTarball(tarballs.main))];
    console.log(`the package: ${packed} bytes packed, ${unpacked} unpacked`);
    expect(packed).toBeLessThan(120_000);
    expect(unpacked).toBeLessThan(400_000);
  });

  it("is clean by publint", () => {
    const { code, out } = publint(tarballs.main);
    expect([code, out]).toEqual([0, expect.stringContaining("All good!")]);
  });

  it("has types that resolve, by attw: for node16 and for bundlers", () => {
    const attw = join(ROOT, bin("@arethetypeswrong/cli", "attw"));
    // Only ES modules can load it, as EmDash does: the other ways are not asked for.
    const { code, out } = program(process.execPath, [
      attw,
      tarballs.main,
      "--profile",
      "esm-only",
      "--format",
      "json",
    ]);
    const { analysis } = JSON.parse(out);
    expect(Object.keys(analysis.entrypoints)).toEqual([".", "./sandbox", "./package.json"]);
    const asked = analysis.problems.filter(
      ({ resolutionKind }: { resolutionKind?: string }) =>
        !["node10", "node16-cjs"].includes(resolutionKind ?? ""),
    );
    expect([code, asked]).toEqual([0, []]);
  });
});

describe("the platform's package", () => {
  it("holds the addon and the launcher, both to be executed", () => {
    const files = listTarball(tarballs.platform);
    const { files: named } = packageJson(`npm/${platformName()}`);
    expect([...files.keys()].sort()).toEqual([...named, "LICENSE", "README.md", "package.json"].sort());
    for (const name of named) expect(files.get(name)?.mode, name).toMatch(/^-rwxr.xr.x/);
  });

  it("is stripped, and bounded: half as much again as today is a dependency that nobody asked for", () => {
    const files = listTarball(tarballs.platform);
    const [packed, unpacked] = [statSync(tarballs.platform).size, sizeOf(files)];
    console.log(`the platform's package: ${packed} bytes packed, ${unpacked} unpacked`);
    expect(packed).toBeLessThan(4_000_000);
    expect(unpacked).toBeLessThan(8_500_000);
    if (process.platform === "linux") {
      for (const name of packageJson(`npm/${platformName()}`).files) {
        // The names of a section stand in the file; one that is gone does not.
        expect(readFileSync(join(ROOT, "npm", platformName(), name)).includes("\0.symtab\0"), name).toBe(
          false,
        );
      }
    }
  });

  it("is clean by publint", () => {
    expect(publint(tarballs.platform)).toMatchObject({ code: 0, out: expect.stringContaining("All good!") });
  });
});

it("npm would publish both as they are, with no network", () => {
  for (const folder of [".", `./npm/${platformName()}`]) {
    const { name, version } = packageJson(folder);
    // Nobody listens on that port.
    const nowhere = ["--registry=http://127.0.0.1:9", "--fetch-retries=0"];
    const { code, out, err } = npm([
      "publish",
      folder,
      "--dry-run",
      "--ignore-scripts",
      "--json",
      ...nowhere,
    ]);
    expect([code, err.includes("+ ") || out.includes(`${name}@${version}`)], err).toEqual([0, true]);
  }
});

it("a release lacks no platform: a package without its binary is not packed", () => {
  const { code, err } = program(process.execPath, ["scripts/pack.mjs", "--every-platform", "--to", folder]);
  // Here there is one platform's at most.
  expect(code).toBe(1);
  expect(err).toMatch(
    /^npm\/[\w-]+ lacks emdash-sandbox-native\.[\w-]+\.node(, emdash-sandbox-launcher)?: build it on its platform/,
  );
});

it("what publishes makes the package ask for each platform's, in the same version", () => {
  // A copy, with stand-ins for the binaries of platforms that this is not.
  const copy = join(folder, "copy");
  for (const path of ["package.json", "npm"]) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const platforms = readdirSync(join(copy, "npm"));
  for (const name of platforms)
    for (const file of packageJson(`npm/${name}`).files) writeFileSync(join(copy, "npm", name, file), "");

  const napi = join(ROOT, bin("@napi-rs/cli", "napi"));
  const { scripts, version } = JSON.parse(readFileSync(join(copy, "package.json"), "utf8"));
  const [tool, ...args] = scripts.prepublishOnly.split(" ");
  expect(tool).toBe("napi");
  const { code, err } = program(process.execPath, [napi, ...args, "--skip-optional-publish"], { cwd: copy });
  expect([code, err]).toEqual([0, ""]);
  const { optionalDependencies } = JSON.parse(readFileSync(join(copy, "package.json"), "utf8"));
  expect(optionalDependencies).toEqual(
    Object.fromEntries(platforms.map((name) => [`emdash-sandbox-native-${name}`, version])),
  );
});

describe("the platforms", () => {
  const TRIPLES: Record<string, [os: string, cpu: string]> = {
    "x86_64-unknown-linux-gnu": ["linux", "x64"],
    "aarch64-unknown-linux-gnu": ["linux", "arm64"],
    "x86_64-apple-darwin": ["darwin", "x64"],
    "aarch64-apple-darwin": ["darwin", "arm64"],
    "x86_64-pc-windows-msvc": ["win32", "x64"],
  };
  const main = packageJson();
  const names = readdirSync(join(ROOT, "npm")).sort();

  it("are those of napi's targets, each with a package of the same version and engines", () => {
    expect([...main.napi.targets].sort()).toEqual(Object.keys(TRIPLES).sort());
    const served = names.map((name) => packageJson(`npm/${name}`)).map(({ os, cpu }) => `${os} ${cpu}`);
    expect(served.sort()).toEqual(
      Object.values(TRIPLES)
        .map((pair) => pair.join(" "))
        .sort(),
    );
    for (const name of names) {
      const platform = packageJson(`npm/${name}`);
      const addon = `emdash-sandbox-native.${name}.node`;
      // Everywhere but on Windows the addon starts no process without it.
      const launcher = platform.os?.[0] !== "win32" ? ["emdash-sandbox-launcher"] : [];
      expect(platform).toMatchObject({
        name: `${main.name}-${name}`,
        version: main.version,
        main: addon,
        files: [addon, ...launcher],
        engines: main.engines,
      });
      expect(platform.libc).toEqual(platform.os?.[0] === "linux" ? ["glibc"] : undefined);
    }
  });

  it("are all built by the release, each on a machine of its own", () => {
    const release = readFileSync(join(ROOT, ".github/workflows/release.yml"), "utf8");
    const built = [...release.matchAll(/- \{ platform: ([\w-]+), runner: [\w.-]+ \}/g)].map(
      ([, name]) => name,
    );
    expect(built.sort()).toEqual(names);
  });

  it("are absent from the committed optionalDependencies, because an install would ask for what is not published", () => {
    expect(main.optionalDependencies).toBeUndefined();
  });
});

function publint(tarball: string) {
  return program(process.execPath, [join(ROOT, bin("publint", "publint")), "run", tarball, "--strict"]);
}
