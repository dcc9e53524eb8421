/** What runs the plugins of a runner: the addon, with a process for each. */
import type { NativeRunner } from "../index.js";
import { jailRefusal } from "./jail.js";
import { loadNative } from "./native.js";
import { nativeOptions, type RunnerOptions } from "./options.js";
import type { RunnerStatus } from "./status.js";
import { warnOfGaps } from "./transport.js";
import { findWorkerd } from "./workerd-binary.js";

/** The addon's runner, or what answers as it does. `wake` is called when there is something to drain. */
export type CreateEngine = (wake: () => void) => NativeRunner;

/** `reason` is a sentence for the site's owner, with the remedy; `means` are what has been found until then. */
export type FoundEngine =
  | { ok: true; create: CreateEngine; means: Means }
  | { ok: false; reason: string; means?: Means };

/** What plugins run in, as `status()` tells it. */
export type Means = Pick<RunnerStatus, "workerd" | "jail" | "transport">;

/**
 * Looks whether it can run here; starts nothing.
 *
 * @throws Error as the addon's constructor, when an option is none
 */
export type Engine = (options: RunnerOptions) => FoundEngine;

export const processEngine: Engine = (options) => {
  const native = loadNative();
  if (!native.ok) return native;
  const workerd = findWorkerd(process.env);
  if (!workerd.ok) return workerd;
  const { addon, launcher } = native.native;
  const settings = nativeOptions(options, { launcher, workerd: workerd.binary.path }, process.env);
  const transport = addon.transportReport(settings.transport);
  const jail = addon.jailReport(settings.jail, settings.transport);
  const means = { workerd: workerd.binary, jail, transport };
  const refusal = jailRefusal(jail, workerd.binary.path);
  if (refusal !== null) return { ok: false, reason: refusal, means };
  warnOfGaps(transport);
  return { ok: true, create: (wake) => new addon.NativeRunner(settings, wake), means };
};
