/** The entry that a site's `sandboxRunner` names. */
export { type BridgeHandlerOptions, createBridgeHandler } from "./bridge-handler.js";
export { createSandboxRunner, WorkerdSandboxRunner } from "./runner.js";
export type { LimitsStatus, PluginState, PluginStatus, RunnerStatus } from "./status.js";
