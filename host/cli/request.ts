/** What `run` is asked for: the plugin, its manifest, and what to call it with. */
import { readFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { parseArgs } from "node:util";
import { parsed, RUN_USAGE, UsageError } from "./usage.js";

const OPTIONS = {
  hook: { type: "string" },
  event: { type: "string" },
  route: { type: "string" },
  input: { type: "string" },
  manifest: { type: "string" },
  seed: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export interface RunRequest {
  /** The plugin's file, as it was named. */
  file: string;
  code: string;
  manifest: { id: string; version: string };
  /** Where the manifest is from, when nobody named it. */
  manifestNote: string | null;
  kind: "hook" | "route";
  name: string;
  /** The event or the input. */
  value: unknown;
  isSeeded: boolean;
  isJson: boolean;
}

/**
 * `null` when it asks for help.
 *
 * @throws UsageError when an option is missing or makes no sense, or a file can't be read
 */
export function readRequest(args: string[]): RunRequest | null {
  const { values, positionals } = parsed(
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    RUN_USAGE,
  );
  if (values.help) return null;
  const [file, surplus] = positionals;
  if (file === undefined) throw misuse("which plugin? Name its file");
  if (surplus !== undefined) throw misuse(`one plugin at a time: ${surplus} is one too many`);
  if ((values.hook === undefined) === (values.route === undefined))
    throw misuse("name a --hook or a --route");
  if (values.hook === undefined && values.event !== undefined) throw misuse("--event goes with --hook");
  if (values.route === undefined && values.input !== undefined) throw misuse("--input goes with --route");
  const code = read(file, "the plugin");
  const called =
    values.hook === undefined
      ? {
          kind: "route" as const,
          name: values.route ?? "",
          value: given(values.input, "--input", undefined),
        }
      : { kind: "hook" as const, name: values.hook, value: given(values.event, "--event", {}) };
  const manifest = manifestFor(file, values.manifest);
  return { file, code, ...manifest, ...called, isSeeded: values.seed ?? false, isJson: values.json ?? false };
}

function manifestFor(file: string, named: string | undefined): Pick<RunRequest, "manifest" | "manifestNote"> {
  if (named !== undefined) return { manifest: manifestIn(named), manifestNote: null };
  const beside = join(dirname(file), "manifest.json");
  try {
    readFileSync(beside);
  } catch {
    const id = basename(file, extname(file));
    const manifest = { id, version: "0.0.0", capabilities: [], allowedHosts: [], storage: {} };
    return {
      manifest,
      manifestNote: `no manifest: as "${id}", without capabilities and storage (--manifest names one)`,
    };
  }
  return { manifest: manifestIn(beside), manifestNote: `its manifest is ${beside}` };
}

/** What is in it is checked when the plugin is loaded; that it is an object, here. */
function manifestIn(file: string): RunRequest["manifest"] {
  const manifest = parse(read(file, "the manifest"), file);
  if (typeof manifest !== "object" || manifest === null) throw misuse(`${file} is no manifest`);
  return manifest as RunRequest["manifest"];
}

function given(text: string | undefined, option: string, otherwise: unknown): unknown {
  if (text === undefined) return otherwise;
  if (text === "-") return parse(read(0, "standard input"), `${option} -`);
  if (text.startsWith("@")) return parse(read(text.slice(1), option), `${option} ${text}`);
  return parse(text, option);
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw misuse(`${what} is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function read(file: string | number, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw misuse(`${what} can't be read: ${error instanceof Error ? error.message : error}`);
  }
}

function misuse(message: string): UsageError {
  return new UsageError(message, RUN_USAGE);
}
