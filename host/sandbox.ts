/** The entry that a site's `sandboxRunner` names. */
export { type BridgeHandlerOptions, createBridgeHandler } from "./bridge-handler.js";
export { MiniflareDevRunner } from "./dev/runner.js";
export { createSandboxRunner } from "./factory.js";
export { WorkerdSandboxRunner } from "./runner.js";
export type { JailStatus, LimitsStatus, PluginState, PluginStatus, RunnerStatus } from "./status.js";
