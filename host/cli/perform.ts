/** One call of a plugin, with what it took and what it used. */
import type { Database } from "../bridge/operation.js";
import type { SandboxedPlugin } from "../plugin.js";
import { WorkerdSandboxRunner } from "../runner.js";
import type { LimitsStatus, PluginStatus } from "../status.js";
import { benchHost } from "./bench-host.js";
import type { RunRequest } from "./request.js";

export interface Outcome {
  /** Undefined when it answered so, and when it failed. */
  answer: unknown;
  /** Null when it answered. */
  error: Error | null;
  /** Milliseconds until its process served, and until it answered or failed; null for what did not happen. */
  startMs: number | null;
  callMs: number | null;
  used: PluginStatus["used"];
  limits: LimitsStatus | null;
}

export async function perform(request: RunRequest, db: Database): Promise<Outcome> {
  const runner = new WorkerdSandboxRunner(benchHost(db));
  const { limits } = runner.status();
  const outcome: Outcome = {
    answer: undefined,
    error: null,
    startMs: null,
    callMs: null,
    used: null,
    limits,
  };
  try {
    const begin = performance.now();
    const plugin = await runner.load(request.manifest as Parameters<typeof runner.load>[0], request.code);
    await plugin.ensureRunning();
    outcome.startMs = performance.now() - begin;
    const called = performance.now();
    try {
      outcome.answer = await call(plugin, request);
    } finally {
      outcome.callMs = performance.now() - called;
      outcome.used = runner.status().plugins[0]?.used ?? null;
    }
  } catch (error) {
    outcome.error = error instanceof Error ? error : new Error(String(error));
  } finally {
    await runner.terminateAll();
  }
  return outcome;
}

async function call(plugin: SandboxedPlugin, { kind, name, value, manifest }: RunRequest): Promise<unknown> {
  if (kind === "route") {
    // As in the address of a request, a query may follow.
    const [route = ""] = name.split("?", 1);
    return await plugin.invokeRoute(route, value, requestFor(manifest.id, name));
  }
  const hooks = plugin.hooks ?? [];
  // EmDash asks every plugin for every hook, and gets nothing. An author who asks for one means to have it.
  if (!hooks.includes(name))
    throw new Error(`The plugin has no hook ${name}, only: ${hooks.join(", ") || "none"}`);
  return await plugin.invokeHook(name, value);
}

/** As EmDash makes it of a request to its API. */
function requestFor(id: string, route: string): Parameters<SandboxedPlugin["invokeRoute"]>[2] {
  return {
    url: `http://localhost:4321/_emdash/api/plugins/${id}/${route}`,
    method: "POST",
    headers: {},
    meta: { ip: null, userAgent: "emdash-sandbox-native run", referer: null, geo: null },
  };
}
