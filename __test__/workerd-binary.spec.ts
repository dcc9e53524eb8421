import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Libc, type Machine, thisMachine } from "../host/machine.js";
import { findWorkerd, isOlder, WORKERD_FLOOR } from "../host/workerd-binary.js";

const NEW = "1.20270101.0";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-native-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string, mode = 0o644): string {
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  chmodSync(whole, mode);
  return whole;
}

/** A site with workerd as a package manager lays it out, but for what `without` leaves away. */
function site(
  root: string,
  without: { platformPackage?: true; version?: string; mode?: number } = {},
): string {
  write(`${root}/node_modules/workerd/package.json`, `{"name":"workerd","version":"${NEW}"}`);
  write(`${root}/node_modules/workerd/bin/workerd`, "the Node shim", 0o755);
  if (!without.platformPackage) {
    const home = `${root}/node_modules/@cloudflare/workerd-linux-64`;
    write(`${home}/package.json`, JSON.stringify({ version: without.version ?? NEW }));
    write(`${home}/bin/workerd`, "", without.mode ?? 0o755);
  }
  return join(folder, root, "package.json");
}

function machine({ platform = "linux", arch = "x64", libc = glibc("2.36") } = {}): Machine {
  return { platform, arch, libc: () => libc };
}

function glibc(version: string): Libc {
  return { family: "glibc", version };
}

function binaryIn(root: string): string {
  return join(folder, root, "node_modules/@cloudflare/workerd-linux-64/bin/workerd");
}

describe("finding workerd", () => {
  it("takes the platform package's binary, never the Node shim", () => {
    const found = findWorkerd({}, [site("a")], machine());
    expect(found).toEqual({ ok: true, binary: { path: binaryIn("a"), version: NEW } });
  });

  it("looks from the second place when the first sees no workerd", () => {
    const found = findWorkerd({}, [join(folder, "empty/package.json"), site("b")], machine());
    expect(found).toMatchObject({ ok: true, binary: { path: binaryIn("b") } });
  });

  it("prefers the first place", () => {
    expect(findWorkerd({}, [site("a"), site("b")], machine())).toMatchObject({
      binary: { path: binaryIn("a") },
    });
  });

  it("takes the binary that EMDASH_WORKERD_BIN names, on any machine and of any version", () => {
    const path = write("my-workerd", "", 0o755);
    const found = findWorkerd({ EMDASH_WORKERD_BIN: path }, [], machine({ platform: "sunos" }));
    expect(found).toEqual({ ok: true, binary: { path, version: null } });
  });

  it("takes an empty EMDASH_WORKERD_BIN for none", () => {
    expect(findWorkerd({ EMDASH_WORKERD_BIN: "" }, [site("a")], machine()).ok).toBe(true);
  });

  it.each([
    ["linux", "arm64", "workerd-linux-arm64/bin/workerd"],
    ["darwin", "x64", "workerd-darwin-64/bin/workerd"],
    ["darwin", "arm64", "workerd-darwin-arm64/bin/workerd"],
    ["win32", "x64", "workerd-windows-64/bin/workerd.exe"],
  ])("on %s %s is %s, because each platform has its own package", (platform, arch, program) => {
    const from = site("a", { platformPackage: true });
    const path = `a/node_modules/@cloudflare/${program}`;
    write(join(path, "../../package.json"), JSON.stringify({ version: NEW }));
    const found = findWorkerd({}, [from], machine({ platform, arch, libc: { family: "other" } }));
    expect(found).toEqual({ ok: false, reason: expect.stringContaining("does not exist") });
    const binary = { path: write(path, "", 0o755), version: NEW };
    expect(findWorkerd({}, [from], machine({ platform, arch, libc: { family: "other" } }))).toEqual({
      ok: true,
      binary,
    });
  });

  it("finds the one that this repository is tested with", () => {
    expect(findWorkerd({})).toMatchObject({
      ok: true,
      binary: { version: expect.stringMatching(/^1\.\d{8}\.\d+$/) },
    });
  });
});

describe("not finding workerd", () => {
  it.each<[cause: string, sentence: RegExp, arrange: () => Parameters<typeof findWorkerd>]>([
    [
      "the package is missing",
      /^The package workerd is not installed\. .*npm install workerd$/,
      () => [{}, [join(folder, "package.json")], machine()],
    ],
    [
      "the platform package was pruned",
      /^The package @cloudflare\/workerd-linux-64.* is not installed\. .*--omit=optional/,
      () => [{}, [site("a", { platformPackage: true })], machine()],
    ],
    [
      "the platform has no build",
      /^workerd is not built for freebsd x64, only for linux x64, /,
      () => [{}, [site("a")], machine({ platform: "freebsd" })],
    ],
    [
      "the architecture has no build",
      /^workerd is not built for linux riscv64/,
      () => [{}, [site("a")], machine({ arch: "riscv64" })],
    ],
    [
      "the system has musl",
      /on musl, as on Alpine Linux\. Use a system with glibc 2\.35 or newer/,
      () => [{}, [site("a")], machine({ libc: { family: "musl" } })],
    ],
    [
      "the glibc is old",
      /^workerd needs glibc 2\.35 or newer, and this system has 2\.31\. Use a newer system/,
      () => [{}, [site("a")], machine({ libc: glibc("2.31") })],
    ],
    [
      "workerd is old",
      /^workerd 1\.20251231\.9 is too old, .* Update it: npm install workerd@latest$/,
      () => [{}, [site("a", { version: "1.20251231.9" })], machine()],
    ],
    [
      "the version is no version",
      /^workerd undefined is too old/,
      () => [{}, [site("a", { version: "undefined" })], machine()],
    ],
    [
      "the binary may not be executed",
      /^The installed workerd binary .* may not be executed\. Allow it: chmod \+x /,
      () => [{}, [site("a", { mode: 0o644 })], machine()],
    ],
    [
      "EMDASH_WORKERD_BIN names nothing",
      /^EMDASH_WORKERD_BIN: .*\/gone does not exist\. Let it name/,
      () => [{ EMDASH_WORKERD_BIN: join(folder, "gone") }, [site("a")], machine()],
    ],
    [
      "EMDASH_WORKERD_BIN names a folder",
      /^EMDASH_WORKERD_BIN: .* is not a file\. Let it name/,
      () => [{ EMDASH_WORKERD_BIN: folder }, [site("a")], machine()],
    ],
    [
      "EMDASH_WORKERD_BIN names a text",
      /^EMDASH_WORKERD_BIN: .*\/text may not be executed\. Allow it/,
      () => [{ EMDASH_WORKERD_BIN: write("text", "") }, [site("a")], machine()],
    ],
  ])("says so when %s", (_cause, sentence, arrange) => {
    const found = findWorkerd(...arrange());
    expect(found).toEqual({ ok: false, reason: expect.stringMatching(sentence) });
  });
});

describe("comparing versions", () => {
  it.each([
    [WORKERD_FLOOR, WORKERD_FLOOR, false],
    ["1.20251231.0", "1.20260101.0", true],
    ["1.20260101.0", "1.20260101.1", true],
    ["2.0.0", "1.20260101.0", false],
    ["2.9", "2.35", true],
    ["2.100", "2.35", false],
    ["2", "2.35", true],
    ["2.36-9", "2.35", false],
    ["", "1.0", true],
    ["x.y", "1.0", true],
  ])("%s is older than %s: %s", (version, floor, older) => {
    expect(isOlder(version, floor)).toBe(older);
  });
});

it("leaves the process report's settings as they were", () => {
  const excludeNetwork = () => Reflect.get(process.report, "excludeNetwork");
  const before = excludeNetwork();
  thisMachine.libc();
  expect(excludeNetwork()).toBe(before);
});
