/** What EmDash and the environment say of a runner, as the addon wants it. */
import type { SandboxOptions } from "emdash";
import type { NativeOptions } from "../index.js";

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
    wallTimeMs: wallTimeMs(options),
    memoryMb: options.limits?.memoryMb ?? null,
  };
}

export function wallTimeMs(options: SandboxOptions): number {
  return options.limits?.wallTimeMs ?? WALL_TIME_MS;
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
