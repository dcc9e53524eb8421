/** A whole Node on kernels that seem to lack what the jail is made of: what is said, by whom, and how often (Linux). */
import { beforeAll, describe, expect, it } from "vitest";
import { loadNative } from "../../host/native.js";
import type { RunnerStatus } from "../../host/status.js";
import { Host } from "../support/host.js";
import { probePath } from "../support/probe.js";
import { onLinux } from "../support/processes.js";

let probe: string;
beforeAll(() => {
  if (onLinux) probe = probePath();
}, 300_000);

type Said = { before: RunnerStatus; answers: string[]; after: RunnerStatus };

async function jailed(lacking: string, mode: string): Promise<Said & { err: string }> {
  const host = new Host("jailed.mjs", {
    program: probe,
    node: ["without", lacking, process.execPath],
    env: { EMDASH_SANDBOX_JAIL: mode, EMDASH_SANDBOX_JAIL_STRICT: "" },
  });
  expect(await host.ended, host.err).toEqual({ code: 0, signal: null });
  return { ...(JSON.parse(host.out) as Said), err: host.err };
}

function missing({ jail }: RunnerStatus): string[] {
  return jail?.layers.flatMap(({ name, enforced }) => (enforced ? [] : [name])) ?? [];
}

describe.runIf(onLinux)("without Landlock and seccomp", () => {
  it("auto serves, and one line says which layers are missing", async () => {
    const { before, answers, after, err } = await jailed("landlock,seccomp", "auto");
    expect(answers).toEqual(["pong", "pong"]);
    for (const status of [before, after]) {
      expect(missing(status)).toEqual(["files", "network", "scope", "calls"]);
    }
    expect(err).toBe(`[emdash:workerd] The jail around plugins lacks ${after.jail?.missing}\n`);
  });

  it("require runs nothing, and says why", async () => {
    const { before, answers, err } = await jailed("landlock,seccomp", "require");
    expect(before.available).toBe(false);
    expect(missing(before)).toEqual(["files", "network", "scope", "calls"]);
    const reason = `EMDASH_SANDBOX_JAIL is require, and the jail would lack ${before.jail?.missing}. Or set it to auto`;
    expect(before.unavailableReason).toBe(reason);
    expect(err).toBe(`[emdash:workerd] Plugins can't run: ${reason}\n`);
    expect(answers).toEqual(
      ["one", "two"].map((id) => `SandboxUnavailableError: Plugin sandbox unavailable for ${id}: ${reason}`),
    );
  });
});

describe.runIf(onLinux)("with a Landlock that turns out to take no rules", () => {
  const LOST = /^it could not be put up at the last start: Landlock: /;
  const filesOf = ({ jail }: RunnerStatus) => jail?.layers.find(({ name }) => name === "files");

  it("auto serves without the layer files, says so once, and status() no longer claims it", async () => {
    const { before, answers, after, err } = await jailed("landlock-rules", "auto");
    const layers = lackedAnyway();
    expect(missing(before)).toEqual(layers);
    expect(answers).toEqual(["pong", "pong"]);
    expect(missing(after)).toEqual([...new Set([...layers, "files"])]);
    expect(filesOf(after)).toMatchObject({ enforced: false, reason: expect.stringMatching(LOST) });
    expect(err.match(/the jail around plugins lacks .*files/g)).toHaveLength(1);
  });

  it("require starts none, and the runner is not available from then on, with the reason", async () => {
    if (lackedAnyway().length > 0)
      return expect((await jailed("landlock-rules", "require")).before.available).toBe(false);
    const { before, answers, after } = await jailed("landlock-rules", "require");
    expect(before.available).toBe(true);
    for (const answer of answers)
      expect(answer).toMatch(/^SandboxUnavailableError: .*the jail lacks its layer files: /);
    expect(after.available).toBe(false);
    expect(after.unavailableReason).toContain(`is require, and the jail would lack ${after.jail?.missing}`);
    expect(filesOf(after)?.reason).toMatch(LOST);
  });
});

/** What this machine's kernel lacks anyway. */
function lackedAnyway(): string[] {
  const native = loadNative();
  if (!native.ok) throw new Error(native.reason);
  const { layers } = native.native.addon.jailReport("auto");
  return layers.flatMap(({ name, enforced }) => (enforced ? [] : [name]));
}
