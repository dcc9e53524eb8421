/** What EmDash and the environment say of a runner, as the addon wants it. */
import type { I18nConfig, SandboxOptions } from "emdash";
import type { NativeOptions } from "../index.js";
import { EmDash } from "./bridge/emdash.js";
import type { Host } from "./bridge/operation.js";
import { warn } from "./log.js";

/** EmDash's options, with those of its newer versions. */
export type RunnerOptions = SandboxOptions & { beforeContentWrite?: (() => Promise<void>) | undefined };

/** EmDash's documented default, in milliseconds. */
const WALL_TIME_MS = 30_000;

/** What workerd may inherit; anything else a host names in `EMDASH_WORKERD_PASSTHROUGH_ENV`. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "LC_ALL"];

export function nativeOptions(
  options: SandboxOptions,
  paths: { launcher: string; workerd: string },
  env: NodeJS.ProcessEnv,
): NativeOptions {
  return {
    ...paths,
    environment: inherited(env),
    site: JSON.stringify(site(options.siteInfo)),
    wallTimeMs: numberOrNull(options.limits?.wallTimeMs),
    memoryMb: numberOrNull(options.limits?.memoryMb),
    maxUploadMb: maxUploadMb(env),
    privateHosts: env.EMDASH_SANDBOX_PRIVATE_HOSTS ?? "",
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

export function wallTimeMs(options: SandboxOptions): number {
  return options.limits?.wallTimeMs ?? WALL_TIME_MS;
}

/** Anything else that a limit may be is not a number, which Rust refuses by the limit's name. */
function numberOrNull(limit: unknown): number | null {
  if (limit === undefined || limit === null) return null;
  return typeof limit === "number" ? limit : Number.NaN;
}

/** Unset is the default; anything but a number is refused in Rust. */
function maxUploadMb(env: NodeJS.ProcessEnv): number | null {
  const text = env.EMDASH_SANDBOX_MAX_UPLOAD_MB?.trim();
  return text ? Number(text) : null;
}

function inherited(env: NodeJS.ProcessEnv): [string, string][] {
  const named = (env.EMDASH_WORKERD_PASSTHROUGH_ENV ?? "").split(",").map((name) => name.trim());
  const names = new Set([...INHERITED, ...named]);
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
