/** EmDash's `SandboxRunner` over the addon. */
import type { SandboxEmailSendCallback, SandboxRunner } from "emdash";
import type { NativeClaims } from "../index.js";
import type { Answer, Host, MayWrite, PluginScope } from "./bridge/index.js";
import { type Engine, type Means, processEngine } from "./engine.js";
import { loadError, SandboxUnavailableError, systemRefusal } from "./errors.js";
import { type EventOf, Inbox } from "./inbox.js";
import { lacksRequired } from "./jail.js";
import { printLog, warn } from "./log.js";
import { loadedOperations, loadOperations } from "./operations.js";
import { hostOf, type RunnerOptions } from "./options.js";
import { SandboxedPlugin } from "./plugin.js";
import { refusalOf, report } from "./refusal.js";
import { Replacements } from "./replacements.js";
import { limitsStatus, pluginStatus, type RunnerStatus } from "./status.js";
import { callWithin, within } from "./within.js";

type Manifest = Parameters<SandboxRunner["load"]>[0];

/**
 * Runs each plugin in a workerd process of its own. The name is the one of the runner that this package replaces.
 *
 * @throws RangeError when a limit is no limit
 */
export class WorkerdSandboxRunner implements SandboxRunner {
  readonly #host: { -readonly [Part in keyof Host]: Host[Part] };
  readonly #inbox: Inbox | undefined;
  readonly #unavailable: string | null = null;
  readonly #means: Means = { workerd: null, jail: null, transport: null };
  /** By the addon's number: those that are loaded, and those whose process has not ended yet. */
  readonly #plugins = new Map<number, SandboxedPlugin>();
  readonly #replacements = new Replacements();

  constructor(options: RunnerOptions);
  /** @internal For `MiniflareDevRunner`, which brings another engine. The declarations must keep the other one. */
  constructor(options: RunnerOptions, engine: Engine);
  constructor(options: RunnerOptions, engine: Engine = processEngine) {
    this.#host = hostOf(options);
    try {
      const found = engine(options);
      if (!found.ok) {
        this.#unavailable = found.reason;
        this.#means = found.means ?? this.#means;
        warn(`Plugins can't run: ${this.#unavailable}`);
        return;
      }
      this.#means = found.means;
      this.#inbox = new Inbox(found.create, {
        onReady: ([, plugin, hooks]) => {
          this.#plugins.get(plugin)?.learnHooks(hooks);
          this.#replacements.settle(plugin);
        },
        onBroken: ([, plugin]) => this.#replacements.settle(plugin),
        onCall: (event) => this.#onCall(event),
        onLog: printLog,
      });
    } catch (error) {
      // An option that makes no sense is the owner's to mend; a system that refuses is a reason not to be available.
      this.#unavailable = systemRefusal(error);
      warn(`Plugins can't run: ${this.#unavailable}`);
    }
  }

  isAvailable(): boolean {
    return this.unavailableReason() === null;
  }

  /** What keeps plugins from running, with the remedy, or null. */
  unavailableReason(): string | null {
    // What the kernel promised may turn out at a start not to be had.
    const jail = this.#inbox?.native.jail();
    return this.#unavailable ?? (jail ? lacksRequired(jail) : null);
  }

  /** What the runner and each of its plugins is doing. */
  status(): RunnerStatus {
    return {
      available: this.isAvailable(),
      unavailableReason: this.unavailableReason(),
      ...this.#means,
      jail: this.#inbox?.native.jail() ?? this.#means.jail,
      limits: this.#inbox ? limitsStatus(this.#inbox.native.limits()) : null,
      plugins: this.#inbox?.native.status().map(pluginStatus) ?? [],
    };
  }

  /** Whether plugins can be served. A plugin that is idle, or that failed by itself, does not make a runner unhealthy. */
  isHealthy(): boolean {
    return this.isAvailable();
  }

  /**
   * Registers the plugin and has its process started in the background. What was loaded under the same `id:version` is
   * replaced, unless it is the same: it serves until the new process does, and whoever still holds it is served by that.
   *
   * @throws TypeError when the manifest or the code can't be used, naming the field
   * @throws SandboxUnavailableError when no plugin can run here
   */
  async load(manifest: Manifest, code: string): Promise<SandboxedPlugin> {
    if (this.#inbox === undefined) {
      throw new SandboxUnavailableError(String(manifest?.id), this.#unavailable ?? "it is not available");
    }
    if (typeof code !== "string")
      throw loadError({ code: "invalid_code", message: "plugin code must be a string" });
    const { failure, loaded } = this.#inbox.native.load(manifestText(manifest), code);
    if (loaded === null) throw loadError(failure ?? { code: "invalid_manifest", message: "unknown reason" });
    const known = this.#plugins.get(loaded.plugin);
    if (known) return known;
    // While its process starts. Should it fail, the first call that needs it says so.
    loadOperations().catch(() => undefined);
    const plugin = new SandboxedPlugin(this.#inbox, loaded, {
      onUnload: () => this.#replacements.settle(loaded.plugin),
      onGone: () => this.#plugins.delete(loaded.plugin),
    });
    this.#plugins.set(loaded.plugin, plugin);
    const previous = loaded.replaces === null ? undefined : this.#plugins.get(loaded.replaces);
    if (previous) this.#replacements.begin(plugin, previous);
    return plugin;
  }

  setEmailSend(callback: SandboxEmailSendCallback | null): void {
    this.#host.emailSend = callback;
  }

  /** Ends every plugin; resolves when no process is left. The runner can load plugins again afterwards. */
  async terminateAll(): Promise<void> {
    const inbox = this.#inbox;
    const ends = [...this.#plugins.values()].map((plugin) => plugin.terminate());
    await inbox?.request((native, request) => native.terminateAll(request, callWithin(inbox)));
    await Promise.all(ends);
  }

  /** Resolves when every loaded plugin has a process that serves. */
  async ensureRunning(): Promise<void> {
    const loaded = [...this.#plugins.values()].filter((plugin) => !plugin.isTerminated);
    await Promise.all(loaded.map((plugin) => plugin.ensureRunning()));
  }

  /** @param id `id:version` */
  async unloadPlugin(id: string): Promise<void> {
    await this.#byId(id)?.terminate();
  }

  getPluginStorageConfig(id: string, version: string): PluginScope["storage"] | undefined {
    return this.#byId(`${id}:${version}`)?.scope.storage;
  }

  /** What a token says of its plugin, when this runner signed it and the plugin is still loaded; else null. */
  validateToken(token: string): NativeClaims | null {
    return this.#inbox?.native.validateToken(String(token)) ?? null;
  }

  /** How many plugin processes have been started. */
  get currentEpoch(): number {
    return this.#inbox?.native.epoch ?? 0;
  }

  #onCall([, plugin, call, method, args, upload]: EventOf<"call">): void {
    const inbox = this.#inbox;
    if (inbox === undefined) return;
    const { native } = inbox;
    within(inbox, { plugin, call }, method, () =>
      this.#perform(plugin, method, args, upload, () => native.mayWrite(plugin, call)),
    ).then(
      (answer) => {
        if (typeof answer === "object") native.answer(plugin, call, answer.value, bufferOf(answer.bytes));
        else native.answer(plugin, call, answer ?? null, null);
      },
      (error) => {
        const refusal = refusalOf(error, method);
        // The answer first: whatever happens to the log, the plugin must not wait.
        native.refuse(plugin, call, refusal.message, refusal.code ?? null);
        if (!refusal.isWhole) report(error, method, this.#plugins.get(plugin)?.id);
      },
    );
  }

  async #perform(
    plugin: number,
    method: string,
    args: readonly (string | null)[],
    upload: Uint8Array | null,
    mayWrite: MayWrite,
  ): Promise<Answer> {
    const scope = this.#plugins.get(plugin)?.scope;
    const operation = (loadedOperations() ?? (await loadOperations())).get(method);
    if (scope === undefined || operation === undefined)
      throw new Error(`the host has no operation ${method}`);
    return await operation(this.#host, scope, args, upload, mayWrite);
  }

  #byId(id: string): SandboxedPlugin | undefined {
    return [...this.#plugins.values()].findLast((plugin) => plugin.id === id && !plugin.isTerminated);
  }
}

/** The same bytes, as what crosses to the addon. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function manifestText(manifest: Manifest): string {
  try {
    return JSON.stringify(manifest) ?? "null";
  } catch (error) {
    throw loadError({ code: "invalid_manifest", message: `manifest can't be written as JSON: ${error}` });
  }
}
