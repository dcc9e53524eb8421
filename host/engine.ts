/** What runs the plugins of a runner: the addon, with a process for each. */
import type { NativeRunner } from "../index.js";
import { loadNative } from "./native.js";
import { nativeOptions, type RunnerOptions } from "./options.js";
import { findWorkerd, type WorkerdBinary } from "./workerd-binary.js";

/** The addon's runner, or what answers as it does. `wake` is called when there is something to drain. */
export type CreateEngine = (wake: () => void) => NativeRunner;

/** `reason` is a sentence for the site's owner, with the remedy. */
export type FoundEngine =
  | { ok: true; create: CreateEngine; workerd: WorkerdBinary | null } | { ok: false; reason: string };

/** Looks whether it can run here; starts nothing. */
export type Engine = (options: RunnerOptions) => FoundEngine;

export const processEngine: Engine = (options) => {
  const native = loadNative();
  if (!native.ok) return native;
  const workerd = findWorkerd(process.env);
  if (!workerd.ok) return workerd;
  const { addon, launcher } = native.native;
  const settings = nativeOptions(options, { launcher, workerd: workerd.binary.path }, process.env);
  return { ok: true, create: (wake) => new addon.NativeRunner(settings, wake), workerd: workerd.binary };
};
