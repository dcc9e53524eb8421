/** The addon, and the launcher beside it. The only file that loads either. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as Addon from "../index.js";

export type Native = { addon: typeof Addon; launcher: string };

/** `reason` is a sentence for the site's owner, with the remedy. */
export type LoadedNative = { ok: true; native: Native } | { ok: false; reason: string };

/** Loads it once for the process; a second call gives the same outcome. */
export function loadNative(): LoadedNative {
  loaded ??= load(`${process.platform}-${process.arch}`);
  return loaded;
}

let loaded: LoadedNative | undefined;

/** Platform and architecture as Node names them, and the name of the package that serves them. */
const PLATFORMS: ReadonlyMap<string, string> = new Map([
  ["linux-x64", "linux-x64-gnu"],
  ["linux-arm64", "linux-arm64-gnu"],
  ["darwin-x64", "darwin-x64"],
  ["darwin-arm64", "darwin-arm64"],
  ["win32-x64", "win32-x64-msvc"],
]);

function load(machine: string): LoadedNative {
  const platform = PLATFORMS.get(machine);
  if (platform === undefined) {
    const served = [...PLATFORMS.keys()].join(", ");
    const reason = `emdash-sandbox-native runs on ${served}, and this is ${machine}. Use a machine of one of these kinds`;
    return { ok: false, reason };
  }
  const require = createRequire(import.meta.url);
  try {
    const file = addonFile(require, platform);
    const launcher = join(dirname(file), "emdash-sandbox-launcher");
    if (NEEDS_LAUNCHER && !existsSync(launcher))
      return { ok: false, reason: `${launcher} is missing. ${REINSTALL}` };
    return { ok: true, native: { addon: require(file) as typeof Addon, launcher } };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, reason: `the native addon can't be loaded: ${why}. ${REINSTALL}` };
  }
}

/** In a checkout the build puts it in the root; installed, it comes in the platform's own package. */
function addonFile(require: NodeJS.Require, platform: string): string {
  const name = `emdash-sandbox-native.${platform}.node`;
  const built = join(import.meta.dirname, "..", name);
  return existsSync(built) ? built : require.resolve(`emdash-sandbox-native-${platform}/${name}`);
}

/** On Windows the system does for a process what the launcher does elsewhere. */
const NEEDS_LAUNCHER = process.platform !== "win32";

const REINSTALL = "Install emdash-sandbox-native again on this machine, with optional dependencies";
