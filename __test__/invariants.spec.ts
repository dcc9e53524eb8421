/**
 * What `docs/architecture.md` says must stay true, as far as reading the tree can tell.
 *
 * The others: 2 also `network.spec.ts` and `src/egress/tests/`; 4 `src/limits/` and "of %d is refused" in `wall-time.spec.ts`; 5
 * `src/token/token_tests.rs`; 6 `context/log.spec.ts` and `src/workerd/sanitise.rs`; 7 and 8 `supervision/host-process.spec.ts`;
 * 9 `identity.spec.ts` and `src/workerd/config.rs`.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** The files below the folders that end so, by their path from the root, without their comments. */
function sources(folders: string[], ending: string): [path: string, text: string][] {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
  );
  const found = paths.filter((path) => path.endsWith(ending));
  expect(found.length, "the folders are where they were").toBeGreaterThan(0);
  return found.map((path) => [path, withoutComments(readFileSync(join(ROOT, path), "utf8"))]);
}

function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
}

/** The paths of those in which it stands. */
function filesWith(pattern: RegExp, all: [path: string, text: string][]): string[] {
  return all.filter(([, text]) => pattern.test(text)).map(([path]) => path);
}

describe("in Rust", () => {
  const rust = sources(["src", "launcher/src"], ".rs");

  it("only src/binding names napi (1), because what crosses the boundary is in one place", () => {
    const others = filesWith(/\bnapi(_derive)?::|\buse napi|#\[napi/, rust).filter(
      (path) => !path.startsWith("src/binding/"),
    );
    // The one call of it for which napi-rs has no safe function. Nothing crosses there.
    expect(others).toEqual(["src/sys/callback.rs"]);
  });

  it("only launch.rs builds a child command, and only the launcher becomes another program (3)", () => {
    const builds = /process::Command|process::\{[^}]*\bCommand\b|\bCommand::new\b|\bfork\(|posix_spawn/;
    expect(filesWith(builds, rust)).toEqual(["src/workerd/launch.rs"]);
    expect(
      filesWith(/\bexecv|fexecve/, rust).filter((path) => !path.startsWith("launcher/src/jail/")),
    ).toEqual(["launcher/src/sys.rs"]);
  });

  it("only launch.rs says which environment a child gets, beginning with none (3)", () => {
    const launch = rust.find(([path]) => path === "src/workerd/launch.rs")?.[1] ?? "";
    expect(launch.match(/Command::new\(/g)).toHaveLength(1);
    expect(launch).toMatch(/Command::new\(program\);\s*command\s*\.env_clear\(\)\s*\.envs\(/);
    expect(filesWith(/\benv::(set_var|remove_var)\b/, rust)).toEqual([]);
  });

  it("unsafe is in the sys files only", () => {
    const others = filesWith(/\bunsafe\b/, rust).filter((path) => !path.startsWith("src/sys/"));
    expect(others).toEqual(["launcher/src/sys.rs"]);
  });

  it("only connect.rs opens a connection to the network and only resolve.rs looks a name up (2)", () => {
    const shipped = rust.filter(([path]) => !/(_tests|\/tests\/\w+)\.rs$/.test(path));
    const connects =
      /\bTcpStream\b|\bTcpSocket\b|\bUdpSocket\b|\bTcpListener\b|\breqwest\b|\bHttpConnector\b/;
    // And the one that goes to a plugin's own process, on this machine.
    expect(filesWith(connects, shipped)).toEqual(["src/egress/connect.rs", "src/workerd/loopback.rs"]);
    const loopback = shipped.find(([path]) => path === "src/workerd/loopback.rs")?.[1] ?? "";
    const addresses = [...loopback.matchAll(/\bTcp(?:Stream::connect|Listener::bind)\(\(([\w:]+),/g)];
    expect(addresses.map(([, address]) => address)).toEqual(["Ipv4Addr::LOCALHOST", "Ipv4Addr::LOCALHOST"]);
    expect(loopback.match(/(TcpStream|TcpSocket)::\w+\(|TcpListener::(?!from_std)\w+\(/g)).toHaveLength(2);
    expect(filesWith(/\blookup_host\b|\bToSocketAddrs\b|\bgetaddrinfo\b/, shipped)).toEqual([
      "src/egress/resolve.rs",
    ]);
  });

  it("connect.rs is given addresses that resolve.rs has made, after it asked the classifier (2)", () => {
    const text = (path: string) => rust.find(([other]) => other === path)?.[1] ?? "";
    expect(text("src/egress/connect.rs").match(/TcpStream::connect\(/g)).toHaveLength(1);
    expect(text("src/egress/connect.rs")).toContain("for address in approved.addresses()");
    expect(text("src/egress/resolve.rs").match(/\bApproved\(/g)).toHaveLength(2);
    expect(filesWith(/\bApproved\(/, rust)).toEqual(["src/egress/resolve.rs"]);
  });

  it("every function that JavaScript calls turns a panic into an error (10)", () => {
    for (const [path, text] of rust.filter(([path]) => path.startsWith("src/binding/"))) {
      const functions = [...text.matchAll(/#\[napi(\([^)]*\))?\]\s*pub (async )?fn (\w+)/g)];
      for (const [, options = "", , name] of functions)
        expect(options, `${path} ${name}`).toContain("catch_unwind");
    }
    expect(filesWith(/#\[napi/, rust)).toContain("src/binding/runner.rs");
  });
});

describe("in TypeScript", () => {
  // The command is a process of its own: what a site's process must not do is not said of it.
  const [commands, host] = [true, false].map((isCommand) =>
    sources(["host"], ".ts").filter(([path]) => path.startsWith("host/cli/") === isCommand),
  ) as [[string, string][], [string, string][]];

  it("the command starts no process and opens no socket of its own either (2, 3)", () => {
    expect(commands.length).toBeGreaterThan(5);
    expect(
      filesWith(/"node:(child_process|net|tls|http|https|http2|dgram|dns|worker_threads)/, commands),
    ).toEqual([]);
    expect(filesWith(/\bcreateRequire\b|\.node"/, commands)).toEqual([]);
  });

  it("nothing that a site loads loads the command", () => {
    expect(filesWith(/from "(\.\/|(\.\.\/)+)cli\//, host)).toEqual([]);
  });

  it("only host/native.ts imports the addon (1)", () => {
    // The types of index.d.ts may be imported anywhere: they are gone at run time.
    const imports = /\.node\b|createRequire|^import (?!type).*"(\.\.\/)+index\.js"/m;
    const others = filesWith(imports, host).filter((path) => path !== "host/native.ts");
    // These resolve paths with createRequire, and require nothing.
    const resolving = ["host/installed-version.ts", "host/resolve.ts"];
    expect(others.sort()).toEqual(resolving);
    for (const [path, text] of host) {
      if (resolving.includes(path)) expect(text, path).not.toMatch(/\brequire\(/);
    }
  });

  it("no signal and no end of the process is handled, because they are the site's", () => {
    expect(filesWith(/process\s*\.\s*(on|once|addListener|prependListener)\b/, host)).toEqual([]);
    expect(filesWith(/process\s*\.\s*(exit|kill|abort|chdir|setuid)\b/, host)).toEqual([]);
  });

  it("nothing but native.ts and what reads package.json files touches files, and nothing starts a process or a socket (2, 3)", () => {
    expect(
      filesWith(/"node:(child_process|net|tls|http|https|http2|dgram|dns|worker_threads|cluster)/, host),
    ).toEqual([]);
    expect(filesWith(/"node:fs/, host).sort()).toEqual([
      "host/dev/miniflare.ts",
      "host/installed-version.ts",
      "host/native.ts",
      "host/workerd-binary.ts",
    ]);
  });

  it("emdash, kysely and miniflare are imported as types, or when first needed", () => {
    const atLoad = /^import (?!type\b).*from "(emdash|kysely|miniflare)/m;
    expect(filesWith(atLoad, host)).toEqual([]);
  });

  it("no timer is left to hold the event loop (8)", () => {
    for (const [path, text] of host) {
      for (const [timer] of text.matchAll(/set(Interval|Timeout)\([^;]*;/g))
        expect(timer, path).toContain(".unref()");
    }
  });
});

describe("in the tests", () => {
  it("every spec file is collected, because a glob that misses a folder hides it", () => {
    const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
    const listed = spawnSync(process.execPath, [vitest, "list", "--filesOnly", "--json"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    const collected = (JSON.parse(listed.stdout) as { file: string }[]).map(({ file }) => file);
    const specs = sources(["__test__"], ".ts")
      .map(([path]) => path)
      .filter((path) => /\.(spec|test)\.ts$/.test(path));
    expect(collected.map((file) => file.slice(ROOT.length + 1)).sort()).toEqual(specs.sort());
  });

  it("none is skipped, repeated until it passes, or alone", () => {
    const all = sources(["__test__"], ".spec.ts");
    expect(filesWith(/\b(it|describe|test)\.(skip|only|todo|fails)\b|\bretry:/, all)).toEqual([]);
  });
});
