/** What the documents say of the code, held against it: files, commands, variables. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { serviceOf } from "../../scripts/deploy.mjs";

const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim().split("\n");

const files = git("ls-files", "--cached", "--others", "--exclude-standard").filter(existsSync);
const documents = files.filter((file) =>
  /^(README|CONTRIBUTING|CHANGELOG|docs\/.*|examples\/.*)\.md$/.test(file),
);
const read = (file: string) => readFileSync(file, "utf8");
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = ""]) => found);

const code = files
  .filter(
    (file) =>
      /^(src|launcher|host|guest|bench|scripts|__test__)\//.test(file) && !file.endsWith("docs.spec.ts"),
  )
  .map(read)
  .join("\n");

describe.each(documents)("%s", (document) => {
  const text = read(document);
  const spans = matches(text.replaceAll(/```[\s\S]*?```/g, ""), /`([^`\n]+)`/g);

  it("links to files that are there", () => {
    const links = matches(text, /\]\((?!https?:|#)([^)#\s]+)/g);
    expect(links.filter((link) => !existsSync(join(dirname(document), link)))).toEqual([]);
  });

  it("names files that are there", () => {
    const named = spans.filter((span) =>
      /^[\w.@-]+(\/[\w.@-]+)*\.(ts|rs|js|mjs|md|toml|yml|yaml)$/.test(span),
    );
    const published = (name: string) => existsSync(`node_modules/${name}`);
    const missing = named.filter(
      (name) => !published(name) && !files.some((file) => `/${file}`.endsWith(`/${name}`)),
    );
    expect(missing).toEqual([]);
  });

  it("gives commands that there are", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const npm = matches(text, /npm run ([\w:]+)/g).filter((name) => !Object.hasOwn(scripts, name));
    const node = matches(text, /node ((?:bench|scripts|examples)\/[\w./-]+)/g).filter(
      (file) => !existsSync(file),
    );
    expect([...npm, ...node]).toEqual([]);
  });

  it("names variables that the code reads", () => {
    const variables = new Set(matches(text, /\b(EMDASH_(?:SANDBOX|WORKERD|TEST)_[A-Z_]*[A-Z])\b/g));
    expect([...variables].filter((name) => !code.includes(name))).toEqual([]);
  });
});

it("the README's table has every variable that a site's owner may set", () => {
  const settings = files
    .filter((file) => /^(src|host|launcher)\//.test(file) && !/test/i.test(file))
    .map(read);
  const variables = new Set(matches(settings.join("\n"), /\b(EMDASH_(?:SANDBOX|WORKERD)_[A-Z_]*[A-Z])\b/g));
  const readme = read("README.md");
  // For our own tests; CONTRIBUTING.md says what it does.
  variables.delete("EMDASH_SANDBOX_JAIL_STRICT");
  expect(variables.size).toBeGreaterThan(10);
  expect([...variables].filter((name) => !readme.includes(`| \`${name}\` |`))).toEqual([]);
});

describe("examples/deploy", () => {
  const folder = "examples/deploy";

  it("compose.yaml says nothing that the container tests do not run a site with", () => {
    const text = read(`${folder}/compose.yaml`);
    const { service, options } = serviceOf(text);
    expect(options).toEqual(
      expect.arrayContaining([
        "--user=node",
        "--read-only=true",
        "--cap-drop=ALL",
        "--tmpfs=/tmp",
        "--init=true",
      ]),
    );
    expect(options).toContain("--security-opt=no-new-privileges");
    expect(Object.keys(service)).not.toContain("privileged");
    expect(() => serviceOf(text.replace("    init:", "    privileged: true\n    init:"))).toThrow(
      "compose.yaml says privileged, which nothing here tries",
    );
  });

  it("compose.yaml opens the port on which the image listens, to this machine alone", () => {
    const { service } = serviceOf(read(`${folder}/compose.yaml`));
    const [exposed = ""] = matches(read(`${folder}/Dockerfile`), /^EXPOSE (\d+)$/gm);
    expect(read(`${folder}/Dockerfile`)).toContain(`PORT=${exposed} `);
    expect(service.ports).toEqual([`127.0.0.1:${exposed}:${exposed}`]);
  });

  it("the image has glibc", () => {
    expect(
      matches(read(`${folder}/Dockerfile`), /^FROM (\S+)/gm).every((image) => /bookworm|trixie/.test(image)),
    ).toBe(true);
  });

  it("the unit allows the calls that the jail is made of, and those of V8 on a processor with protection keys", () => {
    const [filter = ""] = matches(read(`${folder}/emdash.service`), /^SystemCallFilter=(.+)$/gm);
    for (const call of ["seccomp", "create_ruleset", "add_rule", "restrict_self", "@pkey"])
      expect(
        filter.split(" ").some((allowed) => allowed.endsWith(call)),
        call,
      ).toBe(true);
  });

  const systemd = spawnSync("systemd-analyze", ["--version"]).status === 0;

  it.skipIf(!systemd)("Linux: systemd takes the unit", () => {
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", `${folder}/emdash.service`], {
      encoding: "utf8",
    });
    const complaints = stderr.split("\n").filter(
      // A machine of ours has no site, and may have a systemd from before version 254.
      (line) => line && !/'DelegateSubgroup'|is not executable|Failed to (connect|create)/.test(line),
    );
    expect(complaints).toEqual([]);
  });
});
