/** What EmDash and the environment say of a runner, as the addon wants it. */
import type { I18nConfig, SandboxOptions } from "emdash";
import type { NativeEgressLimits, NativeNumber, NativeOptions } from "../index.js";
import { EmDash } from "./bridge/emdash.js";
import type { Host } from "./bridge/operation.js";
import { warn } from "./log.js";

/** EmDash's options, with those of its newer versions. */
export type RunnerOptions = SandboxOptions & { beforeContentWrite?: (() => Promise<void>) | undefined };

/** What workerd may inherit; anything else a host names in `EMDASH_WORKERD_PASSTHROUGH_ENV`. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "LC_ALL"];

/** Without these two a program of Windows finds neither its sockets nor its random numbers. */
const INHERITED_ON_WINDOWS = ["SystemRoot", "windir"];

export function nativeOptions(
  options: SandboxOptions,
  paths: { launcher: string; workerd: string },
  env: NodeJS.ProcessEnv,
): NativeOptions {
  assertLimits(options.limits);
  return {
    ...paths,
    jail: env.EMDASH_SANDBOX_JAIL?.trim() || "auto",
    transport: env.EMDASH_SANDBOX_TRANSPORT?.trim() || "auto",
    // For tests; see CONTRIBUTING.md.
    isJailStrict: env.EMDASH_SANDBOX_JAIL_STRICT === "1",
    environment: inherited(env),
    site: JSON.stringify(site(options.siteInfo)),
    preset: env.EMDASH_SANDBOX_LIMITS?.trim() || null,
    cpuMs: limit(options, "cpuMs") ?? setting(env, "EMDASH_SANDBOX_CPU_MS"),
    memoryMb: limit(options, "memoryMb") ?? setting(env, "EMDASH_SANDBOX_MEMORY_MB"),
    subrequests: limit(options, "subrequests") ?? setting(env, "EMDASH_SANDBOX_SUBREQUESTS"),
    wallTimeMs: limit(options, "wallTimeMs") ?? setting(env, "EMDASH_SANDBOX_WALL_TIME_MS"),
    maxUploadMb: setting(env, "EMDASH_SANDBOX_MAX_UPLOAD_MB"),
    maxFetchMb: setting(env, "EMDASH_SANDBOX_MAX_FETCH_MB"),
    startTimeoutMs: setting(env, "EMDASH_SANDBOX_START_TIMEOUT_MS"),
    idleMs: setting(env, "EMDASH_SANDBOX_IDLE_MS"),
    privateHosts: env.EMDASH_SANDBOX_PRIVATE_HOSTS ?? "",
  };
}

/** What holds for whoever has no process: the environment's, since no options come with it. */
export function egressLimits(env: NodeJS.ProcessEnv): NativeEgressLimits {
  return {
    maxFetchMb: setting(env, "EMDASH_SANDBOX_MAX_FETCH_MB"),
    maxUploadMb: setting(env, "EMDASH_SANDBOX_MAX_UPLOAD_MB"),
    wallTimeMs: setting(env, "EMDASH_SANDBOX_WALL_TIME_MS"),
  };
}

/** What operations touch. */
export function hostOf(options: RunnerOptions): Host {
  return {
    db: options.db,
    emdash: EmDash.installed(),
    emailSend: options.emailSend ?? null,
    mediaStorage: options.mediaStorage ?? null,
    beforeContentWrite: options.beforeContentWrite ?? null,
    i18n: siteLocales,
    warn,
  };
}

/** EmDash keeps them under this symbol for all of its copies, and may set them after the runner is made. */
function siteLocales(): I18nConfig | null {
  const shared = globalThis as { [I18N_CONFIG]?: I18nConfig | null };
  return shared[I18N_CONFIG] ?? null;
}

const I18N_CONFIG = Symbol.for("emdash:i18n-config");

/**
 * Names that are none are refused: who misspells a limit relies on it.
 *
 * @throws RangeError when they are no limits at all
 */
function assertLimits(limits: unknown): void {
  if (limits === undefined || limits === null) return;
  if (typeof limits !== "object" || Array.isArray(limits)) {
    throw new RangeError(`emdash-sandbox-native: limits must be an object or absent, not ${typeof limits}`);
  }
  const unknown = Object.keys(limits).find((name) => !LIMITS.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(
      `emdash-sandbox-native: limits.${printable(unknown)} is no limit: there are ${LIMITS.join(", ")}`,
    );
  }
}

const LIMITS: readonly string[] = ["cpuMs", "memoryMb", "subrequests", "wallTimeMs"];

/** A name as an error may show it. */
function printable(name: string): string {
  return name.slice(0, 50).replace(/[^\x20-\x7e]/g, "?");
}

/** Anything else that a limit may be is not a number, which Rust refuses by the limit's name. */
function limit(
  options: SandboxOptions,
  name: keyof NonNullable<SandboxOptions["limits"]>,
): NativeNumber | null {
  const value: unknown = options.limits?.[name];
  if (value === undefined || value === null) return null;
  return { name: `limits.${name}`, value: typeof value === "number" ? value : Number.NaN };
}

/** Unset is the default; anything but a number is refused in Rust, by the variable's name. */
function setting(env: NodeJS.ProcessEnv, name: string): NativeNumber | null {
  const text = env[name]?.trim();
  return text ? { name, value: Number(text) } : null;
}

function inherited(env: NodeJS.ProcessEnv): [string, string][] {
  const named = (env.EMDASH_WORKERD_PASSTHROUGH_ENV ?? "").split(",").map((name) => name.trim());
  const always = process.platform === "win32" ? [...INHERITED, ...INHERITED_ON_WINDOWS] : INHERITED;
  const names = new Set([...always, ...named]);
  return [...names].flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] satisfies [string, string]];
  });
}

/** As EmDash normalises it: never absent, and no slash at the end of the address. */
function site(info: SandboxOptions["siteInfo"]) {
  return {
    name: info?.name ?? "",
    url: (info?.url ?? "").replace(/\/+$/, ""),
    locale: info?.locale ?? "en",
    trailingSlash: info?.trailingSlash ?? "ignore",
  };
}
