/** `emdash-sandbox-native`: runs EmDash plugins in workerd processes of their own. */
export { createSandboxRunner } from "./factory.js";
export { WorkerdSandboxRunner } from "./runner.js";
export type { JailStatus, LimitsStatus, PluginState, PluginStatus, RunnerStatus } from "./status.js";
