/** The bridge without a sandbox: a plugin's call as a `Request`, its answer as a `Response`. */
import type { I18nConfig, SandboxEmailSendCallback } from "emdash";
import type { NativeFetch } from "../index.js";
import type { Answer, Host, PluginScope } from "./bridge/index.js";
import type { Database, MediaStorage } from "./bridge/operation.js";
import { printLog, warn } from "./log.js";
import { loadNative } from "./native.js";
import { loadOperations } from "./operations.js";
import { egressLimits, hostOf as siteHost } from "./options.js";
import { refusalOf, report } from "./refusal.js";

export interface BridgeHandlerOptions {
  pluginId: string;
  version: string;
  /** Today's names or the deprecated ones. None implies another. */
  capabilities: readonly string[];
  allowedHosts: readonly string[];
  /** The declared storage collections. */
  storageCollections: readonly string[];
  /** The manifest's `storage`: which fields can be queried. */
  storageConfig?: Readonly<Record<string, StorageConfig>> | undefined;
  /** The site's locales; EmDash's own when absent. */
  i18nConfig?: I18nConfig | null | undefined;
  db: Database;
  beforeContentWrite?: (() => Promise<void>) | undefined;
  emailSend: () => SandboxEmailSendCallback | null;
  storage?: MediaStorage | null | undefined;
}

export interface StorageConfig {
  indexes?: (string | string[])[];
  uniqueIndexes?: (string | string[])[];
}

/**
 * `POST http://any/<method>` with a JSON object gives 200 `{"result":…}` (no key for undefined), 500
 * `{"error":"<message>"}`, or 503 `{"error":{code,message,status}}` for an error that keeps its status.
 *
 * @throws Error when the addon, which checks the calls, can't be loaded
 */
export function createBridgeHandler(options: BridgeHandlerOptions): (request: Request) => Promise<Response> {
  const native = loadNative();
  if (!native.ok) throw new Error(`createBridgeHandler can't check calls: ${native.reason}`);
  const { checkCall, NativeEgress } = native.native.addon;
  const egress = new NativeEgress(process.env.EMDASH_SANDBOX_PRIVATE_HOSTS ?? "", egressLimits(process.env));
  if (egress.notice !== null) warnOnce(egress.notice);
  const host = hostOf(options);
  const scope = scopeOf(options);
  const capabilities = [...options.capabilities];
  const collections = [...options.storageCollections];

  async function call(method: string, body: string): Promise<Answer> {
    if (method === "http/fetch") {
      return fetched(await egress.fetch(scope.id, capabilities, [...options.allowedHosts], body, null));
    }
    const { args, error } = checkCall(method, body, capabilities, collections);
    if (args === null) throw new RefusedCall(error ?? "The call was refused");
    if (method === "log") return print(scope.id, args);
    const operation = (await loadOperations()).get(method);
    if (operation === undefined) throw new RefusedCall(`the host has no operation ${method}`);
    const upload = method === "media/upload" ? bytesOf(args.at(-1), egress.maxUpload) : null;
    // Whoever calls it has no deadline.
    return await operation(host, scope, args, upload, () => true);
  }

  return async (request) => {
    const method = methodOf(request);
    try {
      return json(200, answerText(await call(method, await bodyOf(request))));
    } catch (error) {
      if (error instanceof RefusedCall) return json(500, JSON.stringify({ error: error.message }));
      const { isWhole, ...refusal } = refusalOf(error, method);
      if (!isWhole) report(error, method, scope.id);
      if ("status" in refusal) return json(refusal.status, JSON.stringify({ error: refusal }));
      return json(500, JSON.stringify({ error: refusal.message }));
    }
  };
}

/** A site may make a handler for each plugin, or for each request; the operator needs to hear it once. */
function warnOnce(notice: string): void {
  if (told.has(notice)) return;
  told.add(notice);
  warn(notice);
}

const told = new Set<string>();

/** The checks refuse it; their text is for the plugin. */
class RefusedCall extends Error {}

function methodOf(request: Request): string {
  return new URL(request.url).pathname.slice(1);
}

/** A call without a body has no parameters. */
async function bodyOf(request: Request): Promise<string> {
  return (request.method === "POST" && (await request.text())) || "{}";
}

/** As EmDash's other runners put it into JSON. There a name has one value; the members that they lack are the last three. */
function fetched({ error, answer }: NativeFetch): string {
  if (answer === null) throw new RefusedCall(error ?? "The call was refused");
  const { status, statusText, url, redirected } = answer;
  const joined = new Map<string, string>();
  for (const [name, value] of answer.headers) {
    const before = name === "set-cookie" ? undefined : joined.get(name);
    joined.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const headers = Object.fromEntries(joined);
  const bodyBase64 = answer.body.toString("base64");
  const setCookie = answer.headers.flatMap(([name, value]) => (name === "set-cookie" ? [value] : []));
  return JSON.stringify({ status, statusText, headers, bodyBase64, setCookie, url, redirected });
}

/** Without a transport of its own, a file's bytes go as base64. */
function answerText(answer: Answer): string {
  if (answer === undefined) return "{}";
  if (typeof answer === "string") return `{"result":${answer}}`;
  const { buffer, byteOffset, byteLength } = answer.bytes;
  const bytes = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  return JSON.stringify({ result: { ...JSON.parse(answer.value), bytes } });
}

/** An upload's bytes, from base64 or a list of numbers; what Rust takes besides is a number that only a plugin has. */
function bytesOf(text: string | null | undefined, most: number): Uint8Array {
  const bytes: unknown = JSON.parse(text ?? "null");
  if (Array.isArray(bytes) && bytes.length <= most) return Uint8Array.from(bytes);
  const decoded = typeof bytes === "string" && BASE64.test(bytes) ? Buffer.from(bytes, "base64") : null;
  if (decoded !== null && decoded.length <= most) return decoded;
  if (Array.isArray(bytes) || decoded !== null) {
    throw new RefusedCall(`A file may have at most ${most / 1024 / 1024} MiB`);
  }
  throw new RefusedCall("media/upload: bytes must be a base64-encoded string or an array of bytes");
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function json(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "application/json" } });
}

function print(pluginId: string, [level, message, data]: readonly (string | null)[]): string {
  printLog(["log", "plugin", pluginId, level ?? "info", message ?? "", data ?? null]);
  return "null";
}

function hostOf(options: BridgeHandlerOptions): Host {
  const { db, storage, beforeContentWrite, i18nConfig, emailSend } = options;
  const host = siteHost({ db, beforeContentWrite, ...(storage && { mediaStorage: storage }) });
  return {
    ...host,
    // Asked for each time: a site may set up its mail later.
    get emailSend() {
      return emailSend();
    },
    i18n: i18nConfig === undefined ? host.i18n : () => i18nConfig,
  };
}

function scopeOf({
  pluginId,
  version,
  storageCollections,
  storageConfig,
}: BridgeHandlerOptions): PluginScope {
  const indexes = storageCollections.map((name) => {
    const config = storageConfig && Object.hasOwn(storageConfig, name) ? storageConfig[name] : undefined;
    return [name, { indexes: config?.indexes ?? [], uniqueIndexes: config?.uniqueIndexes ?? [] }] as const;
  });
  return { id: pluginId, version, storage: Object.fromEntries(indexes) };
}
