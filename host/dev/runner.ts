/** The runner for development, in miniflare. */
import type { Engine } from "../engine.js";
import { loadNative } from "../native.js";
import { nativeOptions, type RunnerOptions } from "../options.js";
import { WorkerdSandboxRunner } from "../runner.js";
import { MiniflareEngine } from "./engine.js";
import { findMiniflare } from "./miniflare.js";

/**
 * Runs each plugin in a miniflare of its own, with the guest, the checks and the operations of the production runner. It
 * enforces no limit but the wall time.
 *
 * @throws RangeError when a limit is no limit
 */
export class MiniflareDevRunner extends WorkerdSandboxRunner {
  constructor(options: RunnerOptions) {
    super(options, miniflareEngine);
  }
}

const miniflareEngine: Engine = (options) => {
  const native = loadNative();
  if (!native.ok) return native;
  const miniflare = findMiniflare();
  if (!miniflare.ok) return miniflare;
  const { addon } = native.native;
  // No process of the addon's is started, so no program and no environment is named.
  const settings = { ...nativeOptions(options, { launcher: "", workerd: "" }, process.env), environment: [] };
  const create = (wake: () => void) => new MiniflareEngine(addon, settings, miniflare.path, wake);
  // Miniflare brings its own.
  return { ok: true, create, means: { workerd: null, jail: null, transport: null } };
};
