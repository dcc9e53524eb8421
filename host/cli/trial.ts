/** A plugin of our own, without a database: started, called and stopped. */
import { explain } from "../errors.js";
import type { RunnerOptions } from "../options.js";
import { WorkerdSandboxRunner } from "../runner.js";
import type { RunnerStatus } from "../status.js";
import { remedyFor } from "./remedies.js";

export interface Trial {
  /** Milliseconds: until its process served; the median of {@link CALLS} calls; until the process was gone. */
  timings: { startMs: number; callMs: number; stopMs: number } | null;
  /** Why none ran, and what to do about it; null when one did. */
  failure: { cause: string | null; remedy: string } | null;
  runner: RunnerStatus | null;
}

const CODE = `export default { hooks: { "doctor:ask": (event) => event + 1 } };`;

const MANIFEST: Manifest = {
  id: "doctor",
  version: "1.0.0",
  capabilities: [],
  allowedHosts: [],
  storage: {},
  hooks: [],
  routes: [],
  admin: {},
};

type Manifest = Parameters<WorkerdSandboxRunner["load"]>[0];

const CALLS = 21;

/** What an error says of itself and of this plugin, which nobody has asked for. */
const PREFIX = /^(Plugin sandbox unavailable for [^ ]+: |emdash-sandbox-native: )/;

/** Never throws. */
export async function tryPlugin(): Promise<Trial> {
  const restore = mute();
  let runner: WorkerdSandboxRunner | undefined;
  let status: RunnerStatus | null = null;
  try {
    runner = new WorkerdSandboxRunner(OPTIONS);
    status = runner.status();
    const reason = runner.unavailableReason();
    // It is a cause and its remedy in one.
    if (reason !== null) return { timings: null, failure: { cause: null, remedy: reason }, runner: status };
    const timings = await time(runner);
    return { timings, failure: null, runner: status };
  } catch (error) {
    await runner?.terminateAll().catch(() => undefined);
    const cause = (error instanceof Error ? error.message : explain(error)).replace(PREFIX, "");
    return { timings: null, failure: { cause, remedy: remedyFor(cause) }, runner: status };
  } finally {
    restore();
  }
}

async function time(runner: WorkerdSandboxRunner): Promise<NonNullable<Trial["timings"]>> {
  const begin = performance.now();
  const plugin = await runner.load(MANIFEST, CODE);
  await plugin.ensureRunning();
  const started = performance.now();
  const calls: number[] = [];
  for (let call = 0; call < CALLS; call += 1) {
    const asked = performance.now();
    const answer = await plugin.invokeHook("doctor:ask", call);
    if (answer !== call + 1) throw new Error(`the plugin answered ${JSON.stringify(answer)}`);
    calls.push(performance.now() - asked);
  }
  const median = calls.sort((a, b) => a - b)[CALLS >> 1] ?? 0;
  const stopping = performance.now();
  await runner.terminateAll();
  return { startMs: started - begin, callMs: median, stopMs: performance.now() - stopping };
}

/** The plugin asks nothing of the host. */
const OPTIONS: RunnerOptions = {
  db: {} as RunnerOptions["db"],
  siteInfo: { name: "doctor", url: "http://localhost", locale: "en" },
};

/** What is logged meanwhile says the same in more words: the screen is one answer. */
function mute(): () => void {
  const { debug, info, warn, error } = console;
  const drop = () => undefined;
  Object.assign(console, { debug: drop, info: drop, warn: drop, error: drop });
  return () => void Object.assign(console, { debug, info, warn, error });
}
