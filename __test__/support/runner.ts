/** Runners and plugins for tests. Every runner that a test makes is closed behind it, also when the test failed. */
import type { SandboxOptions, SerializedRequest } from "emdash";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { SandboxedPlugin } from "../../host/plugin.js";
import { WorkerdSandboxRunner } from "../../host/runner.js";
import { type TemporaryDatabase, temporaryDatabase } from "./database.js";

export type Manifest = Parameters<WorkerdSandboxRunner["load"]>[0];

const open = new Set<WorkerdSandboxRunner>();

afterEach(async () => {
  await Promise.all([...open].map((runner) => runner.terminateAll()));
  open.clear();
});

type RunnerClass = new (options: SandboxOptions) => WorkerdSandboxRunner;

let Runner: RunnerClass = WorkerdSandboxRunner;

/** Has every later `makeRunner` of this file make runners of another class: a suite can be run on another runner. */
export function useRunnerClass(other: RunnerClass): void {
  Runner = other;
}

/** Whether the suite runs on the production runner. */
export function isProduction(): boolean {
  return Runner === WorkerdSandboxRunner;
}

/** A runner; without `db` for plugins that touch no database. */
export function makeRunner(options: Partial<SandboxOptions> = {}): WorkerdSandboxRunner {
  const siteInfo = { name: "Test", url: "https://site.example", locale: "en" };
  const runner = new Runner({ db: NO_DATABASE, siteInfo, ...options });
  open.add(runner);
  return runner;
}

const NO_DATABASE = new Proxy({} as SandboxOptions["db"], {
  get() {
    throw new Error("this test has no database");
  },
});

/** A migrated database for a whole file. */
export function useDatabase(): { readonly db: TemporaryDatabase["db"] } {
  let database: TemporaryDatabase | undefined;
  beforeAll(async () => {
    database = await temporaryDatabase();
  });
  afterAll(() => database?.close());
  return {
    get db() {
      if (database === undefined) throw new Error("the database is opened before the first test");
      return database.db;
    },
  };
}

/** A manifest as EmDash hands it over, but for what the test says. */
export function manifestOf(fields: Record<string, unknown> = {}): Manifest {
  const plain = { id: "test", version: "1.0.0", capabilities: [], allowedHosts: [], storage: {} };
  return { ...plain, hooks: [], routes: [], admin: {}, ...fields } as Manifest;
}

export function loadPlugin(
  runner: WorkerdSandboxRunner,
  code: string,
  manifest: Record<string, unknown> = {},
): Promise<SandboxedPlugin> {
  return runner.load(manifestOf(manifest), code);
}

/** The code of a plugin with one route, `run`. `body` sees `input`, `request`, `requestMeta`, `user` and `ctx`. */
export function routeOf(body: string): string {
  return `export default { routes: { run: async ({ input, request, requestMeta, user }, ctx) => { ${body} } } };`;
}

/** What the route `run` answers. */
export function ask(plugin: SandboxedPlugin, input?: unknown, name = "run"): Promise<unknown> {
  return plugin.invokeRoute(name, input, REQUEST);
}

/** What a function body answers inside a plugin of its own. */
export async function inPlugin(
  body: string,
  { runner = makeRunner(), manifest = {}, input = undefined as unknown } = {},
): Promise<unknown> {
  return ask(await loadPlugin(runner, routeOf(body), manifest), input);
}

export const REQUEST: SerializedRequest = {
  url: "https://site.example/_emdash/api/plugins/test/run",
  method: "POST",
  headers: {},
  meta: { ip: null, userAgent: null, referer: null, geo: null },
};

/** Whether plugins and the host meet on ports, as `support/tcp.ts` has it. */
export function isOnPorts(): boolean {
  return process.env.EMDASH_SANDBOX_TRANSPORT === "tcp";
}
