/** Which runner a site gets. */
import type { SandboxRunnerFactory } from "emdash";
import { findMiniflare } from "./dev/miniflare.js";
import { MiniflareDevRunner } from "./dev/runner.js";
import { warn } from "./log.js";
import { WorkerdSandboxRunner } from "./runner.js";

/**
 * The development runner when the environment asks for it and miniflare is installed; else a process for each plugin,
 * which is the stronger one.
 */
export const createSandboxRunner: SandboxRunnerFactory = (options) => {
  if (!isDevelopment(process.env)) return new WorkerdSandboxRunner(options);
  const miniflare = findMiniflare();
  if (miniflare.ok) return new MiniflareDevRunner(options);
  // Who has not installed it has not asked for it.
  if (miniflare.isInstalled) warn(`Plugins run as in production: ${miniflare.reason}`);
  return new WorkerdSandboxRunner(options);
};

function isDevelopment(env: NodeJS.ProcessEnv): boolean {
  return env.EMDASH_SANDBOX_DEV === "1" || env.NODE_ENV === "development";
}
