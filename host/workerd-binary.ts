/** Which workerd to run, or why there is none. Reads package.json files; starts nothing and downloads nothing. */
import { accessSync, closeSync, constants, openSync, readFileSync, readSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Machine, thisMachine } from "./machine.js";
import { firstResolved } from "./resolve.js";

/** `version` is null for a binary that `EMDASH_WORKERD_BIN` names: only running it would tell. */
export type WorkerdBinary = { path: string; version: string | null };

/** `reason` is a sentence for the site's owner, with the remedy. */
export type Found = { ok: true; binary: WorkerdBinary } | { ok: false; reason: string };

/** The oldest workerd that we test with. */
export const WORKERD_FLOOR = "1.20260101.0";

/** What workerd's maintainers promise for their builds: https://github.com/cloudflare/workerd/issues/4053 */
const GLIBC_FLOOR = "2.35";

/**
 * `EMDASH_WORKERD_BIN` when it is set; else the binary of the `workerd` package that this package sees, or else the
 * one that the site sees. `from` are the files that see.
 */
export function findWorkerd(
  env: NodeJS.ProcessEnv,
  from: readonly string[] = [import.meta.filename, join(process.cwd(), "package.json")],
  machine: Machine = thisMachine,
): Found {
  const named = env.EMDASH_WORKERD_BIN;
  if (named) return executable({ path: resolve(named), version: null }, NAMED);

  const platformPackage = PLATFORM_PACKAGES.get(`${machine.platform} ${machine.arch}`);
  if (platformPackage === undefined) return none(noBuildFor(machine));
  const objection = libcObjection(machine);
  if (objection !== null) return none(objection);

  const workerd = firstResolved("workerd/package.json", from);
  if (workerd === null) return none(NOT_INSTALLED);
  const manifest = firstResolved(`${platformPackage}/package.json`, [workerd]);
  if (manifest === null) return none(pruned(platformPackage));
  const version = versionIn(manifest);
  if (isOlder(version, WORKERD_FLOOR)) return none(tooOld(version));
  const program = machine.platform === "win32" ? "bin/workerd.exe" : "bin/workerd";
  return executable({ path: join(dirname(manifest), program), version }, INSTALLED);
}

const PLATFORM_PACKAGES: ReadonlyMap<string, string> = new Map([
  ["linux x64", "@cloudflare/workerd-linux-64"],
  ["linux arm64", "@cloudflare/workerd-linux-arm64"],
  ["darwin x64", "@cloudflare/workerd-darwin-64"],
  ["darwin arm64", "@cloudflare/workerd-darwin-arm64"],
  ["win32 x64", "@cloudflare/workerd-windows-64"],
]);

function executable(binary: WorkerdBinary, { whose, remedy }: typeof NAMED): Found {
  const stats = statSync(binary.path, { throwIfNoEntry: false });
  if (stats === undefined) return none(`${whose} ${binary.path} does not exist. ${remedy}`);
  if (!stats.isFile()) return none(`${whose} ${binary.path} is not a file. ${remedy}`);
  try {
    accessSync(binary.path, constants.X_OK);
  } catch {
    return none(`${whose} ${binary.path} may not be executed. Allow it: chmod +x ${binary.path}`);
  }
  return { ok: true, binary };
}

/** Whether the kernel executes the file itself (ELF). What can't be read may be one: its start will say why it can't. */
export function isProgram(path: string): boolean {
  const magic = Buffer.alloc(ELF.length);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return true;
  }
  try {
    readSync(file, magic, 0, magic.length, 0);
  } finally {
    closeSync(file);
  }
  return magic.toString("latin1") === ELF;
}

const ELF = "\x7fELF";

function libcObjection(machine: Machine): string | null {
  const libc = machine.libc();
  if (libc.family === "musl") return ON_MUSL;
  return libc.family === "glibc" && isOlder(libc.version, GLIBC_FLOOR) ? oldGlibc(libc.version) : null;
}

function versionIn(manifest: string): string {
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version?: unknown };
  return String(version);
}

/** Compares dotted numbers. A part that is no number counts as 0, so what cannot be read is old. */
export function isOlder(version: string, floor: string): boolean {
  const parts = version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  for (const [at, least] of floor.split(".").map(Number).entries()) {
    const part = parts[at] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}

function none(reason: string): Found {
  return { ok: false, reason };
}

const NAMED = {
  whose: "EMDASH_WORKERD_BIN:",
  remedy: "Let it name a workerd binary, or unset it to use the installed package.",
};

const INSTALLED = { whose: "The installed workerd binary", remedy: "Install the package workerd again." };

const NOT_INSTALLED = "The package workerd is not installed. Add it to the site: npm install workerd";

const ON_MUSL =
  `workerd needs glibc, and this Node runs on musl, as on Alpine Linux. ` +
  `Use a system with glibc ${GLIBC_FLOOR} or newer, such as the image node:22-bookworm-slim.`;

function oldGlibc(version: string): string {
  return (
    `workerd needs glibc ${GLIBC_FLOOR} or newer, and this system has ${version}. ` +
    `Use a newer system, such as Debian 12 or Ubuntu 22.04.`
  );
}

function noBuildFor({ platform, arch }: Machine): string {
  const builds = [...PLATFORM_PACKAGES.keys()].join(", ");
  return `workerd is not built for ${platform} ${arch}, only for ${builds}. Run the site on one of these.`;
}

function pruned(platformPackage: string): string {
  return (
    `The package ${platformPackage}, which holds workerd's binary, is not installed. ` +
    `It is an optional dependency of workerd, left out by --omit=optional and by an install on another platform: ` +
    `install on this machine, with optional dependencies.`
  );
}

function tooOld(version: string): string {
  return `workerd ${version} is too old, ${WORKERD_FLOOR} is the oldest that works. Update it: npm install workerd@latest`;
}
