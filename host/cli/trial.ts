/** A plugin of our own, without a database: started, called and stopped. */
import { explain } from "../errors.js";
import type { RunnerOptions } from "../options.js";
import { WorkerdSandboxRunner } from "../runner.js";
import type { RunnerStatus } from "../status.js";

export interface Trial {
  /** Milliseconds: until its process served; the median of {@link CALLS} calls; until the process was gone. */
  timings: { startMs: number; callMs: number; stopMs: number } | null;
  /** Why none ran, with the remedy; null when one did. */
  failure: string | null;
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

/** Never throws. */
export async function tryPlugin(): Promise<Trial> {
  const said: string[] = [];
  const restore = listen(said);
  let runner: WorkerdSandboxRunner | undefined;
  let status: RunnerStatus | null = null;
  try {
    runner = new WorkerdSandboxRunner(OPTIONS);
    status = runner.status();
    const reason = runner.unavailableReason();
    if (reason !== null) return { timings: null, failure: reason, runner: status };
    const timings = await time(runner);
    return { timings, failure: null, runner: status };
  } catch (error) {
    await runner?.terminateAll().catch(() => undefined);
    const [message = ""] = error instanceof Error ? [error.message] : [explain(error)];
    return { timings: null, failure: [message, ...said].join("\n"), runner: status };
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

/** Takes what is logged into `said`, until the function that it returns is called. */
function listen(said: string[]): () => void {
  const { debug, info, warn, error } = console;
  const keep = (...parts: unknown[]) => void said.push(parts.join(" "));
  Object.assign(console, { debug: keep, info: keep, warn: keep, error: keep });
  return () => void Object.assign(console, { debug, info, warn, error });
}
