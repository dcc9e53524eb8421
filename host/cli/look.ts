/** The single things that `doctor` looks at. What the runner has found out already is not found out again. */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LimitsStatus } from "../index.js";
import { thisMachine } from "../machine.js";
import { loadNative } from "../native.js";
import { findWorkerd, isOlder } from "../workerd-binary.js";
import type { Finding } from "./doctor.js";
import { findEmDash } from "./packages.js";
import { remedyFor } from "./remedies.js";
import type { Trial } from "./trial.js";

/** As package.json's `engines` has it. */
const NODE_FLOOR = "20.19";

/** What workerd's maintainers promise for their builds. */
const GLIBC_FLOOR = "2.35";

/** Landlock has the last of what the jail uses since then (Linux 6.12). */
const LANDLOCK_FLOOR = 6;

export function node({ failure }: Trial): Finding {
  const { node } = process.versions;
  if (!isOlder(node, NODE_FLOOR)) return ok(node);
  const bad = failure === null ? warning : failed;
  return bad(node, `Use Node ${NODE_FLOOR} or newer: nothing older is tested.`);
}

export function libc({ failure }: Trial): Finding {
  if (thisMachine.platform !== "linux") return ok(`not asked for on ${thisMachine.platform}`);
  const libc = thisMachine.libc();
  const remedy = `Use a system with glibc ${GLIBC_FLOOR} or newer, such as Debian 12 or the image node:22-bookworm-slim.`;
  // Who names a workerd of their own may have built it for this system.
  const bad = failure === null ? warning : failed;
  if (libc.family === "musl") return bad("musl, as on Alpine Linux; workerd needs glibc", remedy);
  if (libc.family === "other") return bad("unknown", remedy);
  if (isOlder(libc.version, GLIBC_FLOOR)) return bad(`glibc ${libc.version}`, remedy);
  return ok(`glibc ${libc.version}`);
}

export function addon(): Finding {
  const native = loadNative();
  return native.ok ? ok("loaded") : failed("can't be loaded", native.reason);
}

export function workerd(): Finding {
  const found = findWorkerd(process.env);
  if (!found.ok) return failed("none that can be used", found.reason);
  const { version, path } = found.binary;
  return ok(`${version ?? "of unknown version, named by EMDASH_WORKERD_BIN"}, ${path}`);
}

export function landlock(): Finding {
  if (thisMachine.platform !== "linux") return ok(`${thisMachine.platform} has none`);
  const native = loadNative();
  if (!native.ok) return warning("not known without the addon", MEND_THE_ADDON);
  const { landlockAbi } = native.native.addon.jailReport("auto");
  if (landlockAbi === null) return warning("none", reasonOf("files") ?? NEWER_LINUX);
  if (landlockAbi < LANDLOCK_FLOOR) return warning(`version ${landlockAbi}`, NEWER_LINUX);
  return ok(`version ${landlockAbi}`);
}

export function seccomp(): Finding {
  if (thisMachine.platform !== "linux") return ok(`${thisMachine.platform} has none`);
  const native = loadNative();
  if (!native.ok) return warning("not known without the addon", MEND_THE_ADDON);
  const { hasSeccomp } = native.native.addon.jailReport("auto");
  return hasSeccomp ? ok("available") : warning("none", reasonOf("calls") ?? NEWER_LINUX);
}

/** Why the kernel does not give this layer. */
function reasonOf(layer: string): string | null {
  const native = loadNative();
  if (!native.ok) return null;
  const { layers } = native.native.addon.jailReport("auto");
  return layers.find(({ name }) => name === layer)?.reason ?? null;
}

/** What `EMDASH_SANDBOX_JAIL` comes to here. */
export function jail({ failure, runner }: Trial): Finding {
  const native = loadNative();
  if (!native.ok) return warning("not known without the addon", MEND_THE_ADDON);
  const report =
    runner?.jail ?? native.native.addon.jailReport(process.env.EMDASH_SANDBOX_JAIL?.trim() || "auto");
  const { mode, layers, missing } = report;
  const held = layers.filter(({ enforced }) => enforced).map(({ name }) => name);
  const found = `${mode}: ${held.length} of ${layers.length} layers${held.length > 0 ? ` (${held.join(", ")})` : ""}`;
  if (missing === null) return ok(found);
  const bad = mode === "require" && failure !== null ? failed : warning;
  return bad(found, mode === "off" ? "Unset EMDASH_SANDBOX_JAIL." : `It lacks ${missing}`);
}

/** By what plugins' processes and the host reach each other. */
export function transport({ runner, failure }: Trial): Finding {
  const transport = runner?.transport;
  if (!transport) return warning("not known: there is no runner", seeThePlugin(failure));
  const { name, gaps } = transport;
  if (gaps.length === 0) return ok(`${name}: sockets without a name`);
  return warning(`${name}: ports of 127.0.0.1`, `Linux's default has none of this: ${gaps.join("; ")}`);
}

export function limits({ runner, failure }: Trial): Finding {
  const limits = runner?.limits;
  if (!limits) return warning("not known: there is no runner", seeThePlugin(failure));
  const cpu = `cpuMs ${limits.cpuMs}${limits.cpuRule === "exact" ? "" : " on average"}`;
  const { memoryMb, subrequests, wallTimeMs } = limits;
  const found = `${cpu}, memoryMb ${memoryMb}, subrequests ${subrequests}, wallTimeMs ${wallTimeMs}`;
  const lacking = LIMITS.filter((name) => !limits.enforced.includes(name));
  if (lacking.length === 0) return ok(`${found}: all enforced`);
  return warning(
    found,
    `Not enforced on ${thisMachine.platform}: ${lacking.join(", ")}. Linux enforces all.`,
  );
}

const LIMITS: (keyof LimitsStatus)[] = [
  "cpuMs",
  "memoryMb",
  "subrequests",
  "wallTimeMs",
  "maxUploadMb",
  "maxFetchMb",
];

export function cgroups({ runner }: Trial): Finding {
  if (thisMachine.platform !== "linux") return ok(`${thisMachine.platform} has none`);
  if (runner?.limits?.hasCgroups) return ok("each plugin's process has one");
  return warning(
    "none of its own for a plugin's process; the other limits hold without",
    "Delegate a part of the tree to Node, in systemd: Delegate=memory pids",
  );
}

export function temporaryFolder({ failure }: Trial): Finding {
  const folder = tmpdir();
  try {
    rmdirSync(mkdtempSync(join(folder, "emdash-sandbox-doctor-")));
    return failure === null ? ok(`${folder} takes files and sockets`) : ok(`${folder} takes files`);
  } catch (error) {
    const why = `${folder} can't be written to: ${error instanceof Error ? error.message : error}`;
    const remedy = "Let TMPDIR name a folder that this user can write to.";
    return failure === null ? warning(`${why}; /dev/shm serves`, remedy) : failed(why, remedy);
  }
}

export function emdash(): Finding {
  const found = findEmDash();
  if (found !== null) return ok(found.version);
  return warning(
    "not seen from here; a site has it",
    "To use run here, install it: npm install emdash kysely",
  );
}

export function plugin({ timings, failure }: Trial): Finding {
  if (timings === null) {
    const found = ["did not run", failure?.cause].filter(Boolean).join(": ");
    return failed(found, failure?.remedy ?? remedyFor(""));
  }
  const [start, call, stop] = [timings.startMs, timings.callMs, timings.stopMs].map((ms) => ms.toFixed(1));
  return ok(`started in ${start} ms, answers in ${call} ms, stopped in ${stop} ms`);
}

function seeThePlugin(failure: Trial["failure"]): string {
  return failure === null ? MEND_THE_ADDON : failure.remedy;
}

const MEND_THE_ADDON = "See the line of the addon first.";

const NEWER_LINUX = "Use Linux 6.12 or newer for all layers of the jail; plugins run without.";

function ok(found: string): Finding {
  return { status: "ok", found, remedy: null };
}

function warning(found: string, remedy: string): Finding {
  return { status: "warning", found, remedy };
}

function failed(found: string, remedy: string): Finding {
  return { status: "failed", found, remedy };
}
