/** What plugins need of a host, looked at piece by piece; then a plugin is really run. */
import { explain } from "../errors.js";
import type { RunnerStatus } from "../status.js";
import * as look from "./look.js";
import { ownVersion } from "./own-version.js";
import { type Trial, tryPlugin } from "./trial.js";

/** Printed as JSON by `doctor --json`: documented in docs/cli.md. */
export interface Diagnosis {
  /** Whether a plugin ran. */
  ok: boolean;
  /** Of this package. */
  version: string;
  /** As Node names it: `linux x64`. */
  platform: string;
  checks: Check[];
  /** How long it took to start, call and stop a plugin; null when none ran. */
  timings: Trial["timings"];
  /** What the runner says of itself; null when none could be made. */
  runner: RunnerStatus | null;
}

export interface Check extends Finding {
  /** Stable; `title` and the texts are not. */
  id: string;
  title: string;
}

export interface Finding {
  /** `failed` keeps plugins from running, `warning` does not. */
  status: "ok" | "warning" | "failed";
  found: string;
  /** Null when all is well. */
  remedy: string | null;
}

const CHECKS: [id: string, title: string, look: (trial: Trial) => Finding][] = [
  ["node", "Node", look.node],
  ["glibc", "C library", look.libc],
  ["addon", "addon", look.addon],
  ["workerd", "workerd", look.workerd],
  ["landlock", "Landlock", look.landlock],
  ["seccomp", "seccomp", look.seccomp],
  ["jail", "jail", look.jail],
  ["transport", "transport", look.transport],
  ["limits", "limits", look.limits],
  ["cgroups", "cgroups", look.cgroups],
  ["temporary-folder", "temp folder", look.temporaryFolder],
  ["emdash", "EmDash", look.emdash],
  ["plugin", "a plugin", look.plugin],
];

/** Never throws: what can't be looked at is a finding, too. */
export async function diagnose(): Promise<Diagnosis> {
  const trial = await tryPlugin();
  const checks = CHECKS.map(([id, title, look]): Check => ({ id, title, ...looked(look, trial) }));
  return {
    ok: trial.failure === null,
    version: ownVersion(),
    platform: `${process.platform} ${process.arch}`,
    checks,
    timings: trial.timings,
    runner: trial.runner,
  };
}

function looked(look: (trial: Trial) => Finding, trial: Trial): Finding {
  try {
    return look(trial);
  } catch (error) {
    const found = `can't be looked at: ${explain(error).split("\n", 1)}`;
    return { status: "warning", found, remedy: "This is a fault of ours: please report it." };
  }
}
