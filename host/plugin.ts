/** A loaded plugin, as EmDash holds it. */
import type { SandboxedPluginInstance, SerializedRequest } from "emdash";
import type { NativeLoad } from "../index.js";
import type { PluginScope } from "./bridge/index.js";
import { invocationError, RequestError, SandboxUnavailableError } from "./errors.js";
import type { Inbox } from "./inbox.js";
import { callWithin } from "./within.js";

/** Who wants to know of its end. */
export interface PluginListener {
  /** Calls on it are refused from now on. */
  onUnload(): void;
  /** It was unloaded or replaced, and its process is gone. */
  onGone(): void;
}

export class SandboxedPlugin implements SandboxedPluginInstance {
  /** `id:version` */
  readonly id: string;
  readonly scope: PluginScope;
  /** The addon's number of this load. */
  readonly number: number;
  readonly #inbox: Inbox;
  readonly #listener: PluginListener;
  #hooks: ReadonlySet<string> | undefined;
  #successor: SandboxedPlugin | undefined;
  #isTerminated = false;
  #end: Promise<void> | undefined;

  constructor(inbox: Inbox, load: NativeLoad, listener: PluginListener) {
    this.id = `${load.id}:${load.version}`;
    this.scope = { id: load.id, version: load.version, storage: JSON.parse(load.storage) };
    this.#inbox = inbox;
    this.number = load.plugin;
    this.#listener = listener;
    if (load.hooks) this.learnHooks(load.hooks);
  }

  /** The plugin's own hooks, as its code has reported them. */
  learnHooks(hooks: readonly string[]): void {
    this.#hooks = new Set(hooks);
  }

  /** @internal Null until its code has run once. */
  get hooks(): readonly string[] | null {
    return this.#hooks === undefined ? null : [...this.#hooks];
  }

  async invokeHook(name: string, event: unknown): Promise<unknown> {
    const plugin = this.#serving();
    // EmDash asks every plugin for every hook, on every page view. One that it does not have costs no call.
    if (plugin.#hooks && !plugin.#hooks.has(name)) return undefined;
    return await plugin.#invoke("hook", name, { event });
  }

  async invokeRoute(name: string, input: unknown, request: SerializedRequest): Promise<unknown> {
    return await this.#serving().#invoke("route", name, { input, request });
  }

  /** Refuses calls from now on; resolves when the plugin's process is gone. */
  async terminate(): Promise<void> {
    this.#isTerminated = true;
    this.#listener.onUnload();
    await this.#endProcess();
  }

  /** From now on calls go to what was loaded under the same `id:version` later; those in flight may end. */
  yieldTo(successor: SandboxedPlugin): void {
    this.#successor = successor;
    void this.#endProcess();
  }

  /** Whether calls on it are refused. */
  get isTerminated(): boolean {
    return this.#latest().#isTerminated;
  }

  /** Resolves when its process serves. */
  async ensureRunning(): Promise<void> {
    const { number } = this.#serving();
    try {
      await this.#inbox.request((native, request) => native.ensureRunning(number, request));
    } catch (error) {
      throw error instanceof RequestError ? new SandboxUnavailableError(this.id, error.message) : error;
    }
  }

  async #invoke(kind: "hook" | "route", name: string, payload: unknown): Promise<unknown> {
    try {
      const text = JSON.stringify(payload);
      const answer = await this.#inbox.request((native, request) =>
        native.invoke(this.number, request, kind === "route", name, text),
      );
      return answer === undefined ? undefined : JSON.parse(answer);
    } catch (error) {
      // What is not the addon's failure is an event that can't be written as JSON.
      const failure =
        error instanceof RequestError
          ? error.failure
          : { code: "threw", message: error instanceof Error ? error.message : String(error) };
      const { id: pluginId } = this.scope;
      throw invocationError(failure, {
        pluginId,
        instanceId: this.id,
        kind,
        name,
      });
    }
  }

  /**
   * The load that calls go to.
   *
   * @throws SandboxUnavailableError when there is none any more
   */
  #serving(): SandboxedPlugin {
    const plugin = this.#latest();
    if (plugin.#isTerminated) throw new SandboxUnavailableError(this.id, "it was unloaded");
    return plugin;
  }

  /** Whoever holds an old load of many must neither keep the others alive nor have to pass by all of them. */
  #latest(): SandboxedPlugin {
    let plugin: SandboxedPlugin = this;
    while (plugin.#successor !== undefined && !plugin.#isTerminated) plugin = plugin.#successor;
    if (plugin !== this) this.#successor = plugin;
    return plugin;
  }

  /** Asks each time: it may be another call of the plugin in which it is asked for, and that is not to be waited for. */
  async #endProcess(): Promise<void> {
    const gone = this.#inbox.request((native, request) =>
      native.terminate(this.number, request, callWithin(this.#inbox)),
    );
    this.#end ??= gone.then(() => this.#listener.onGone());
    await Promise.all([gone, this.#end]);
  }
}
