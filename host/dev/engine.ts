/** Answers as the addon's runner does, with miniflare in place of processes of ours. */
import type * as Addon from "../../index.js";
import type { LoadOutcome, NativeCall, NativeLimits, NativePluginStatus, NativeRunner } from "../../index.js";
import type { NativeEvent } from "../inbox.js";
import { Outbox } from "./outbox.js";
import { DevPlugin, type Names, UNLOADED } from "./plugin.js";
import { Turns } from "./turns.js";
import type { WorkerContext } from "./worker.js";

export class MiniflareEngine implements NativeRunner {
  readonly #dev: Addon.NativeDev;
  readonly #context: WorkerContext;
  readonly #outbox: Outbox;
  readonly #plugins = new Map<number, Loaded>();
  /** Unloaded ones whose calls in flight may still end. */
  readonly #draining = new Map<number, DevPlugin>();
  /** By code, so that a hook which a reloaded plugin does not have costs no call. */
  readonly #names = new Map<string, Names>();
  #last = 0;
  #epoch = 0;

  /** @throws Error as the addon's own constructor, when an option is none */
  constructor(addon: typeof Addon, settings: Addon.NativeOptions, miniflare: string, wake: () => void) {
    this.#dev = new addon.NativeDev(settings);
    const egress = new addon.NativeEgress(settings.privateHosts, settings);
    this.#context = { addon, miniflare, egress, turns: new Turns(CONCURRENT_STARTS) };
    this.#outbox = new Outbox(wake);
    const { enforced } = this.#dev.limits();
    const limits = `Plugins run in miniflare, for development: of the limits only ${enforced.join(", ")} hold`;
    for (const message of [egress.notice, limits]) {
      if (message === null) continue;
      this.#outbox.push(["log", "notice", null, "warn", message, null]);
    }
  }

  load(manifest: string, code: string): LoadOutcome {
    const { failure, description } = this.#dev.describe(manifest, code);
    if (description === null) return { failure, loaded: null };
    const { id, version, storage } = description;
    const names = this.#names.get(description.code) ?? null;
    const { hooks = null, routes = null } = names ?? {};
    const loaded = (plugin: number, replaces: number | null): LoadOutcome => ({
      failure: null,
      loaded: { plugin, replaces, id, version, storage, hooks, routes },
    });
    const fingerprint = JSON.stringify(description);
    const same = ([, { plugin }]: [number, Loaded]) => plugin.id === id && plugin.version === version;
    const [replaces = null, latest] = [...this.#plugins].findLast(same) ?? [];
    if (replaces !== null && latest?.fingerprint === fingerprint) return loaded(replaces, null);
    this.#last += 1;
    const number = this.#last;
    const plugin = new DevPlugin({
      number,
      description,
      names,
      context: this.#context,
      wallTimeMs: this.#dev.limits().wallTimeMs,
      outbox: this.#outbox,
      onReady: (names) => {
        this.#epoch += 1;
        if (this.#names.size === MAX_KNOWN_NAMES) this.#names.clear();
        this.#names.set(description.code, names);
      },
    });
    this.#plugins.set(number, { plugin, fingerprint });
    plugin.start();
    return loaded(number, replaces);
  }

  invoke(plugin: number, request: number, isRoute: boolean, name: string, payload: string): void {
    const found = this.#plugins.get(plugin)?.plugin;
    if (found) found.invoke({ request, kind: isRoute ? "route" : "hook", name, payload });
    else this.#refuseUnloaded(request);
  }

  answer(plugin: number, call: number, value?: string | null, bytes?: Buffer | null): void {
    this.#any(plugin)?.calls.answer(call, value ?? undefined, bytes ?? undefined);
  }

  refuse(plugin: number, call: number, message: string, code?: string | null): void {
    this.#any(plugin)?.calls.refuse(call, message, code ?? undefined);
  }

  mayWrite(plugin: number, call: number): boolean {
    return this.#any(plugin)?.mayWrite(call) ?? false;
  }

  ensureRunning(plugin: number, request: number): void {
    const found = this.#plugins.get(plugin)?.plugin;
    if (found) found.ensureRunning(request);
    else this.#refuseUnloaded(request);
  }

  terminate(plugin: number, request: number, within?: NativeCall | null): void {
    this.#unload(plugin);
    if (within?.plugin === plugin) this.#draining.get(plugin)?.excuse(within.call);
    this.#doneAfter(request, [this.#draining.get(plugin)]);
  }

  terminateAll(request: number, within?: NativeCall | null): void {
    for (const number of [...this.#plugins.keys()]) this.#unload(number);
    if (within) this.#draining.get(within.plugin)?.excuse(within.call);
    this.#doneAfter(request, [...this.#draining.values()]);
  }

  status(): NativePluginStatus[] {
    const loaded = [...this.#plugins.values()].map(({ plugin }) => plugin);
    return [...loaded, ...this.#draining.values()].map((plugin) => plugin.status());
  }

  limits(): NativeLimits {
    return this.#dev.limits();
  }

  /** miniflare's workerd is in none. */
  jail(): null {
    return null;
  }

  drain(): NativeEvent[] {
    return this.#outbox.take().filter((event) => this.#mayBegin(event));
  }

  /** No plugin has a token here: nothing but its own worker speaks to its service binding. */
  validateToken(): null {
    return null;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Asked right before it begins, since its invocation may have ended while it waited. */
  #mayBegin(event: NativeEvent): boolean {
    if (event[0] !== "call") return true;
    const [, plugin, call] = event;
    return this.#any(plugin)?.mayBegin(call) ?? false;
  }

  #any(number: number): DevPlugin | undefined {
    return this.#plugins.get(number)?.plugin ?? this.#draining.get(number);
  }

  #unload(number: number): void {
    const plugin = this.#plugins.get(number)?.plugin;
    if (plugin === undefined) return;
    this.#plugins.delete(number);
    this.#draining.set(number, plugin);
    void plugin.terminate().then(() => this.#draining.delete(number));
  }

  #refuseUnloaded(request: number): void {
    this.#outbox.push(["failed", request, "unavailable", UNLOADED, null]);
  }

  #doneAfter(request: number, plugins: (DevPlugin | undefined)[]): void {
    const ends = plugins.map((plugin) => plugin?.terminate());
    void Promise.all(ends).then(() => this.#outbox.push(["done", request, null]));
  }
}

type Loaded = { plugin: DevPlugin; fingerprint: string };

/** As many as the addon starts at the same time. */
const CONCURRENT_STARTS = 4;

/** As many as the addon remembers; forgetting costs a start. */
const MAX_KNOWN_NAMES = 256;
