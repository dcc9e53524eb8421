/** The tarballs as a release has them, and programs that are run on them. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { npmCommand, platformName } from "../../scripts/ensure.mjs";

export const ROOT = join(import.meta.dirname, "../..");

export type PackageJson = {
  name: string;
  version: string;
  files: string[];
  engines: { node: string };
  os?: string[];
  cpu?: string[];
  libc?: string[];
  main?: string;
  optionalDependencies?: Record<string, string>;
  devDependencies: Record<string, string>;
  napi: { targets: string[] };
};

export function packageJson(folder = "."): PackageJson {
  return JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
}

/** Gone when the file's tests are over. */
export function folderForAll(): string {
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-test-"));
  // A site's packages are 30,000 files, which a busy disk takes its time to remove.
  afterAll(() => rmSync(folder, { recursive: true, force: true }), 180_000);
  return folder;
}

export interface Done {
  code: number | null;
  out: string;
  err: string;
}

export function program(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Done {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    cwd: ROOT,
    ...options,
  });
  if (error) throw error;
  return { code: status, out: stdout, err: stderr };
}

export function npm(args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Done {
  const [command, ...first] = npmCommand();
  return program(command, [...first, ...args], options);
}

export interface Tarballs {
  main: string;
  platform: string;
}

/** `npm run pack`, into this folder. */
export function pack(folder: string): Tarballs {
  const { code, err } = program(process.execPath, ["scripts/pack.mjs", "--to", folder]);
  if (code !== 0) throw new Error(err);
  const { name, version } = packageJson();
  return {
    main: join(folder, `${name}-${version}.tgz`),
    platform: join(folder, `${name}-${platformName()}-${version}.tgz`),
  };
}

/** The files in it, with their modes as tar shows them, below the folder `package`. */
export function listTarball(tarball: string): Map<string, { mode: string; size: number }> {
  const { out } = program("tar", ["tvzf", tarball]);
  const lines = out.trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [mode = "", , size = ""] = line.split(/\s+/);
      return [line.replace(/^.* package\//, ""), { mode, size: Number(size) }];
    }),
  );
}
