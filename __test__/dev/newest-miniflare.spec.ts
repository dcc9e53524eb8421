/** The newest miniflare, which needs a newer Node than ours may be: what a site that installs it today gets. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Host } from "../support/host.js";

/** Installed by `npm test`. */
const FOLDER = join(import.meta.dirname, "../../.ci/newest-miniflare");

it("gives the answers of the production runner, also in the newest miniflare", async () => {
  const host = new Host("compares-runners.mjs", { cwd: FOLDER, program: node() });
  expect(await host.ended, host.err).toEqual({ code: 0, signal: null });
  const [version, production, development, ...rest] = host.out.trim().split("\n");
  expect([Number.parseInt(version ?? "", 10), rest]).toEqual([4, []]);
  expect(JSON.parse(development ?? "")).toEqual(JSON.parse(production ?? ""));
  expect(JSON.parse(production ?? "")).toHaveLength(15);
});

/** One that runs it: this one, or the one that is installed beside it. */
function node(): string {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath;
  const path = join(FOLDER, `node_modules/node-linux-${process.arch}/bin/node`);
  if (!existsSync(path)) throw new Error(`${path} is missing: npm test installs it`);
  return path;
}
