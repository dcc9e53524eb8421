/** A plugin that exceeds a limit while a neighbour is asked, and what can be said of both afterwards. */
import type { SandboxOptions } from "emdash";
import type { SandboxedPlugin } from "../../host/plugin.js";
import { pluginsOf } from "./processes.js";
import { ask, loadPlugin, makeRunner } from "./runner.js";
import { until } from "./until.js";

export interface Attack {
  /** Of the route `run`: it sees `input` and `ctx`. */
  body: string;
  options: Partial<SandboxOptions>;
  manifest?: Record<string, unknown>;
  /** It is over within a moment: it is made again until the neighbour has answered often enough meanwhile. */
  isBrief?: boolean;
  /** The attack goes on behind the answer: it is over when this holds. */
  isOver?: () => boolean;
}

export interface Outcome {
  /** What the caller was told, or the answer. */
  told: unknown;
  /** Whether the neighbour has answered while the attack went on, several times; and how often it failed to. */
  neighbour: { answered: boolean; failed: number };
  /** What the attacker says next, of itself. */
  next: unknown;
  /** Processes that there are while both are loaded, and when neither is. */
  processes: [loaded: number, afterwards: number];
}

/** What an attack may do: end itself, and nothing else. */
export const HARMLESS = {
  neighbour: { answered: true, failed: 0 },
  next: "pong",
  processes: [2, 0],
} satisfies Partial<Outcome>;

/** One answer may have been on its way when the attack began. */
const ANSWERS_MEANWHILE = 3;

const PING = `ping: () => "pong"`;

export async function attack({ body, options, manifest, isBrief, isOver }: Attack): Promise<Outcome> {
  const runner = makeRunner(options);
  const code = `export default { routes: { run: async ({ input }, ctx) => { ${body} }, ${PING} } };`;
  const attacker = await loadPlugin(runner, code, { id: "attacker", ...manifest });
  const neighbour = await loadPlugin(runner, `export default { routes: { ${PING} } };`, { id: "neighbour" });
  await Promise.all([ping(attacker), ping(neighbour)]);

  let isGoingOn = true;
  const beside = { answers: 0, failed: 0 };
  const told = (async () => {
    try {
      let told: unknown;
      do {
        told = await ask(attacker).catch(({ message }: Error) => message);
      } while (isBrief && beside.answers < ANSWERS_MEANWHILE);
      if (isOver) await until(isOver, "the attack is over", 20_000);
      return told;
    } finally {
      isGoingOn = false;
    }
  })();
  // Whoever awaits it below hears of a failure.
  told.catch(() => undefined);
  do {
    const answer = await ping(neighbour).catch(() => "failed");
    if (answer !== "pong") beside.failed += 1;
    else if (isGoingOn) beside.answers += 1;
  } while (isGoingOn);

  const neighbourhood = { answered: beside.answers >= ANSWERS_MEANWHILE, failed: beside.failed };
  const outcome = { told: await told, neighbour: neighbourhood, next: await ping(attacker) };
  const loaded = pluginsOf(process.pid).length;
  await runner.terminateAll();
  return { ...outcome, processes: [loaded, pluginsOf(process.pid).length] };
}

function ping(plugin: SandboxedPlugin): Promise<unknown> {
  return ask(plugin, undefined, "ping");
}
