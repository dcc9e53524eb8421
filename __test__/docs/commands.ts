/** The commands that the documents give, and where each is run. `commands.spec.ts` holds this table against both. */
import { readFileSync } from "node:fs";

/** What a command of a document begins with, behind variables. */
const PROGRAMS =
  /^(?:[A-Z_]+=\S+ )*(?:npm|npx|node|cargo|rustup|rustc|git|docker|podman|systemctl|systemd-\w+|journalctl|strace|bash|sh|sudo|curl|chmod|napi|apt|apt-get|debootstrap|\.ci\/[\w-]+) \S/;

/**
 * Each command as it stands there, with white space as one blank, and the documents that have it: the lines of every
 * block of a shell's, and every inline span that begins with a program.
 */
export function commandsOf(documents: string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const document of documents) {
    const text = readFileSync(document, "utf8");
    const blocks = [...text.matchAll(/^```(?:sh|bash|shell|console)\n([\s\S]*?)^```/gm)];
    const lines = blocks.flatMap(([, block = ""]) => block.trim().split("\n"));
    const spans = [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`]+)`/g)]
      .map(([, span = ""]) => span.replaceAll(/\s+/g, " ").trim())
      .filter((span) => PROGRAMS.test(span));
    for (const command of new Set([...lines, ...spans]))
      found.set(command, [...(found.get(command) ?? []), document]);
  }
  return found;
}

/** Run by this file's own text: what CI, or a test of its own, does with exactly this command. */
export const RUN_ELSEWHERE: Record<string, [file: string, text: string]> = {
  "npm install emdash-sandbox-native workerd": [
    "scripts/readme-site.mjs",
    'fenced(readme, "sh", "## Switching")',
  ],
  ...inSpec("__test__/site/readme.spec.ts", [
    "npx emdash-sandbox-native doctor",
    "npx emdash-sandbox-native run plugin.mjs --hook <name> --event '{}'",
    "npx emdash-sandbox-native run plugin.mjs --hook name",
    `npx emdash-sandbox-native run plugin.mjs --hook content:afterSave --event '{"collection":"posts","content":{"id":"1"},"isNew":true}'`,
    "npx emdash-sandbox-native run plugin.mjs --route 'history?limit=5' --manifest manifest.json --seed",
  ]),
  ...inSpec("__test__/site/demo.spec.ts", ["npm run demo:site", "npm run demo:site -- --dev"]),
  ...inSpec("scripts/readme-site.mjs", [
    "npm run pack -- --every-platform",
    "npm publish",
    "git checkout package.json",
  ]),
  "napi prepublish": ["package.json", '"prepublishOnly": "napi prepublish '],
  "npm pack": ["scripts/site.mjs", 'npm(["pack", "--silent",'],
  "npm install --no-save": ["scripts/ensure.mjs", 'INSTALL = [ "install", "--no-save",'],
  "npm test": [".github/workflows/release.yml", "run: npm test"],
  "npm run ready": [".ci/run", "bash .ci/with-postgres npm run ready"],
  "bash .ci/with-postgres npm run ready": [".ci/run", "bash .ci/with-postgres npm run ready"],
  "npm rebuild better-sqlite3 --ignore-scripts=false": [
    ".ci/run",
    "npm rebuild better-sqlite3 --ignore-scripts=false",
  ],
  "cargo test": ["scripts/tests.mjs", '"cargo", ["test", "--workspace",'],
  "node bench/soak.mjs": ["scripts/ready.mjs", '["bench/soak.mjs", "--seconds", "60"]'],
  "node scripts/instructions.mjs": ["scripts/tests.mjs", "return [await checkInstructions()]"],
  "node scripts/denials.mjs": [".ci/run", "node scripts/denials.mjs"],
  "node scripts/containers.mjs": [".ci/run", "node scripts/containers.mjs"],
  "node scripts/containers.mjs --deploy": [
    ".github/workflows/ci.yml",
    "node scripts/containers.mjs --may-skip --deploy",
  ],
};

/** Not run, and why. */
export const NOT_RUN: Record<string, string> = {
  "npm ci": "named as what does not work with a lock file from some registries",
  "npm link": "named as what keeps a bundler from leaving the package alone",
  "npm install workerd@latest": "it would test what is newest on that day",
  "docker compose up --build":
    "there is no Docker here: scripts/deploy.mjs builds and runs both files by Podman",
  "strace -f": "for looking at a process: which, and at what, is the reader's",
  "strace -f -c": "how a figure was found",
  "node scripts/windows.mjs": "needs Wine and the Rust of Debian's unstable; ci.yml has Windows itself",
  "node scripts/machine.mjs":
    "needs root, KVM and minutes: virtual machines with kernels and systemd of their own",
  "rustup target add aarch64-apple-darwin x86_64-pc-windows-gnu": "changes the machine's toolchain",
  "rustup target add x86_64-pc-windows-gnu": "changes the machine's toolchain",
  "cargo check --target …": "needs the other system's target",
  "RUSTC_BOOTSTRAP=1 cargo check -Zbuild-std=std,panic_unwind --target …":
    "needs a Rust of Debian's unstable in a folder of its own",
};

export interface Run {
  /** What stands for the reader's part, as `NAME`. */
  with?: [placeholder: string, value: string];
  /** More options: the same, in less time. */
  more?: string;
  env?: Record<string, string>;
  /** In the repository itself, whose builds it uses; otherwise in a clone. */
  isHere?: true;
  /** A file to be written first, and what it must hold afterwards. */
  files?: [name: string, before: string, after: string][];
  /** What it must have said, on either stream. */
  says?: RegExp;
  /** Files that must be there afterwards. */
  makes?: RegExp[];
}

/** Run by `commands.spec.ts`, in this order. */
export const RUN_HERE: Record<string, Run> = {
  "npm run build": { makes: [/^dist\/sandbox\.js$/, /^npm\/[\w-]+\/emdash-sandbox-native\.[\w-]+\.node$/] },
  "npm run demo": { says: /entries|audit/ },
  "npm run pack": {
    makes: [
      /^packed\/emdash-sandbox-native-\d[\d.]+\.tgz$/,
      /^packed\/emdash-sandbox-native-[a-z][\w-]+-\d[\d.]+\.tgz$/,
    ],
    says: /kB packed/,
  },
  "npx biome check --write && cargo fmt": {
    files: [
      ["scripts/stamp.mjs", "const   a = 'b'\nexport { a }\n", 'const a = "b";\n\nexport { a };\n'],
      ["src/sys/mod.rs", "fn  main( ) { }\n", "fn main() {}\n"],
    ],
  },
  "npx vitest run NAME": { with: ["NAME", "token"], isHere: true, says: /1 passed/ },
  "EMDASH_SANDBOX_TRANSPORT=tcp npx vitest run NAME": {
    with: ["NAME", "identity"],
    isHere: true,
    says: /1 passed/,
  },
  "npx vitest run --project site": {
    more: " --testNamePattern 'the bundle'",
    isHere: true,
    says: /Test Files {2}1 passed/,
  },
  "cargo test NAME": { with: ["NAME", "classif"], isHere: true, says: /test result: ok\. [1-9]/ },
  "npm install --save-exact --ignore-scripts NAME": {
    with: ["NAME", "picocolors@1.1.1"],
    env: { npm_config_package_lock_only: "true" },
    says: /added|up to date/,
  },
  "npm version --no-git-tag-version …": { with: ["…", "9.8.7"], says: /^v9\.8\.7$/m },
  "npx napi version": {},
  // Not the rows in which the peer may break on a busy machine, or that take minutes.
  "npm run bench": {
    more: " -- --rounds 1 --rows noop,large,kv,list,upload,fetch,pageView,cold,import",
    says: /no-op hook, one by one/,
  },
  "node bench/call.mjs": { says: /no-op hook, 32 at once +\d+ \/s/ },
  "node bench/jail.mjs": { says: /a call that computes, µs +p10/ },
  "node bench/dev.mjs": { says: /MiniflareDevRunner[\s\S]*a call/ },
  "node bench/limits.mjs": { more: " 1 --pairs 1", isHere: true, says: /times the median/ },
};

function inSpec(file: string, commands: string[]): Record<string, [file: string, text: string]> {
  return Object.fromEntries(commands.map((command) => [command, [file, command]]));
}
