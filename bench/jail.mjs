// What the jail costs: `node bench/jail.mjs`, after a build. Two runners, one without it and one with it, do the same
// things in turn, so that a machine that is busy is so for both. The tenth percentile is the figure to look at where
// others work on the machine.
import { createSandboxRunner } from "emdash-sandbox-native/sandbox";

const STARTS = 150;
const CALLS = 20_000;
const LONG_CALLS = 150;

const CODE = `export default { hooks: {
  noop: (event) => event.n,
  long: () => { let sum = 0; for (let at = 0; at < 2e6; at += 1) sum = (sum * 31 + at) | 0; return sum; },
} };`;

const runners = ["off", "auto"].map((mode) => {
  process.env.EMDASH_SANDBOX_JAIL = mode;
  return createSandboxRunner({ db: {} });
});

let loads = 0;
await compare("load to first answer, ms", STARTS, 1, async (runner) => {
  loads += 1;
  const plugin = await load(runner, `start-${loads}`);
  await plugin.invokeHook("noop", { n: 1 });
  return () => plugin.terminate();
});
const plugins = new Map();
for (const runner of runners) plugins.set(runner, await load(runner, "calls"));
await compare("no-op call, µs", CALLS, 1000, (runner) => plugins.get(runner).invokeHook("noop", { n: 1 }));
await compare("a call that computes, µs", LONG_CALLS, 1000, (runner) =>
  plugins.get(runner).invokeHook("long", {}),
);
await Promise.all(runners.map((runner) => runner.terminateAll()));

function load(runner, id) {
  return runner.load({ id, version: "1", capabilities: [] }, CODE);
}

/** `act` may answer with what is to be done after the clock has stopped. */
async function compare(what, count, factor, act) {
  const [off, auto] = [[], []];
  for (let at = 0; at < count; at += 1) {
    // Each comes first as often as the other.
    const turns = at % 2 === 0 ? [0, 1] : [1, 0];
    for (const turn of turns) {
      const start = performance.now();
      const after = await act(runners[turn]);
      [off, auto][turn].push((performance.now() - start) * factor);
      if (typeof after === "function") await after();
    }
  }
  for (const [name, q] of [
    ["median", 0.5],
    ["p10", 0.1],
  ]) {
    const [without, jailed] = [off, auto].map(
      (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length * q)],
    );
    const figures = [without, jailed, jailed - without].map((figure) => figure.toFixed(2));
    console.log(
      `${what.padEnd(26)} ${name.padEnd(7)} without ${figures[0]}   with ${figures[1]}   difference ${figures[2]}`,
    );
  }
}
