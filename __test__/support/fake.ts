/** Runners whose workerd is one of `fixtures/fake-workerd/`. */
import { join } from "node:path";
import { vi } from "vitest";
import type { WorkerdSandboxRunner } from "../../host/runner.js";
import { makeRunner } from "./runner.js";

/** The test file must undo it: `afterEach(() => vi.unstubAllEnvs())`. */
export function fakeRunner(name: string, env: Record<string, string> = {}): WorkerdSandboxRunner {
  // The jail is cut to workerd's measure: no script runs in it.
  vi.stubEnv("EMDASH_SANDBOX_JAIL", "off");
  vi.stubEnv("EMDASH_WORKERD_BIN", join(import.meta.dirname, "../fixtures/fake-workerd", name));
  vi.stubEnv("EMDASH_WORKERD_PASSTHROUGH_ENV", Object.keys(env).join(","));
  for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
  return makeRunner();
}
