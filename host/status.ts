/** What `status()` tells: plain data, for a health endpoint or an operator's eyes. */
import type { NativeJailReport, NativeLimits, NativePluginStatus, NativeTransportReport } from "../index.js";

export interface RunnerStatus {
  /** Whether plugins can run here. */
  available: boolean;
  /** Why not, with the remedy. */
  unavailableReason: string | null;
  /**
   * The workerd that plugins run in; its version is null when `EMDASH_WORKERD_BIN` names it. Null where none can, and in
   * development with miniflare, which brings its own.
   */
  workerd: { path: string; version: string | null } | null;
  /** What holds of the jail around each process, by what its last start came to; null in development with miniflare, which has none. */
  jail: JailStatus | null;
  /** By what plugins and the host reach each other, and what that lacks; null in development with miniflare. */
  transport: TransportStatus | null;
  /** What plugins are held to. */
  limits: LimitsStatus | null;
  /** Those that are loaded or still ending, in the order in which they were loaded. */
  plugins: PluginStatus[];
}

export type JailStatus = NativeJailReport;

export type TransportStatus = NativeTransportReport;

export interface LimitsStatus {
  /** Processor time of one hook or route. */
  cpuMs: number;
  /** `exact`: for each; `average`: for each on average, with ten times as much at once. */
  cpuRule: "exact" | "average";
  /** Of the plugin's own: V8's heap, and all else together. */
  memoryMb: number;
  /** Calls on `ctx` of one hook or route. */
  subrequests: number;
  /** From the moment that a hook or route is called, the start of a process not counted. */
  wallTimeMs: number;
  /** Of one file. */
  maxUploadMb: number;
  /** Of one body of `http.fetch`, each way. */
  maxFetchMb: number;
  /** Whether each process is in a cgroup of its own besides, because the host has been delegated a part of the tree, and the last one could be made. */
  hasCgroups: boolean;
  /** Names of the limits that are enforced: all, but in development with miniflare, and on a kernel that ignores RLIMIT_DATA. */
  enforced: string[];
}

export interface PluginStatus {
  id: string;
  version: string;
  /**
   * - `idle`: no process; the next call starts one
   * - `starting`: a process is on its way, and calls wait for it
   * - `serving`
   * - `resting`: it crashed, and starts again by itself at `nextStart`; calls wait
   * - `failed`: its start failed; calls fail until `nextStart`, and the next one after it starts it
   * - `open`: it failed too often; calls fail until `nextStart`, and then one may try
   * - `probing`, `half-open`: that one is being started for, or served; the others wait
   * - `draining`: unloaded; its calls in flight may end
   */
  state: PluginState;
  /** When it came into this state. */
  since: Date;
  nextStart: Date | null;
  processId: number | null;
  /** Processes that came to serve. */
  starts: number;
  /** Starts that failed, and processes that ended without having been asked to. */
  failures: number;
  /** The last five of them, oldest first. */
  lastFailures: { at: Date; reason: string }[];
  /** Calls that have not been answered: those in the plugin, and those that wait for a process. */
  inFlight: number;
  /**
   * What its hooks and routes have used since it was loaded, its starts not counted; `memoryMb` is the most of its own
   * that was seen in memory. Null in development with miniflare, where nobody measures it.
   */
  used: { cpuMs: number; memoryMb: number; subrequests: number } | null;
}

export type PluginState = (typeof STATES)[number];

const STATES = [
  ...(["idle", "starting", "serving", "resting", "failed"] as const),
  ...(["open", "probing", "half-open", "draining"] as const),
];

export function limitsStatus({ cpuIsExact, ...limits }: NativeLimits): LimitsStatus {
  return { ...limits, cpuRule: cpuIsExact ? "exact" : "average" };
}

export function pluginStatus(native: NativePluginStatus): PluginStatus {
  const { since, nextStart, lastFailures, state, ...same } = native;
  const known = STATES.find((each) => each === state);
  if (known === undefined) throw new Error(`the addon names a state that is none: ${state}`);
  return {
    ...same,
    state: known,
    since: new Date(since),
    nextStart: nextStart === null ? null : new Date(nextStart),
    lastFailures: lastFailures.map(({ at, reason }) => ({ at: new Date(at), reason })),
  };
}
