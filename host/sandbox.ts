/** The entry that a site's `sandboxRunner` names. */
export { createSandboxRunner, WorkerdSandboxRunner } from "./runner.js";
