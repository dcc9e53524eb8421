// How far a plugin gets past its limits, and what enforcing them costs: after a build,
// `node bench/limits.mjs [runs] [--pairs n]`. Linux only: processes are measured from outside, through /proc. It builds the addon a
// second time, without what it measures.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createSandboxRunner } from "emdash-sandbox-native/sandbox";
import { buildUnwatched } from "./lib/unwatched.mjs";

const {
  values: { pairs },
  positionals: [runs = "50"],
} = parseArgs({ options: { pairs: { type: "string", default: "300" } }, allowPositionals: true });
for (const number of [runs, pairs])
  if (!/^\d+$/.test(number)) throw new Error(`${number} is no number of runs`);

/** 0 for what else is measured alone. */
const RUNS = Number(runs);
const CPU_MS = 50;
const MEMORY_MB = 128;
const WALL_MS = 300;
/** Of processes, one of each of the two builds that are compared: what a pair says depends on its luck with cores and
 * addresses by some percent, so there are many of them. */
const PAIRS = Number(pairs);
/** Of fifty calls each: short, so that what else the machine does hits both sides alike. */
const TURNS = 16;

const REQUEST = { url: "https://site.example/", method: "POST", headers: {} };
const LIMITS = { cpuMs: CPU_MS, memoryMb: MEMORY_MB, wallTimeMs: 30_000 };

/** For what is to be timed, not ended. */
const UNREACHED = { cpuMs: 3_600_000, wallTimeMs: 60_000 };

// First, so that no compiler runs beside what is measured.
const UNWATCHED = buildUnwatched();

for (const level of ["debug", "info", "warn", "error"]) console[level] = () => {};

print(
  `${RUNS} runs each; load average ${readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ")}`,
);
print("");
print(`past the limit`.padEnd(38), "p50    p90    max");

await overshoot(`CPU ms past ${CPU_MS}: endless loop`, LIMITS, "for (;;);", cpuOf);
await overshoot(
  `CPU ms past ${CPU_MS}: regular expression`,
  LIMITS,
  `/^(a+)+$/.test("a".repeat(40) + "b")`,
  cpuOf,
);
await overshoot(`CPU ms past ${CPU_MS}: loop of promises`, LIMITS, "for (;;) await null;", cpuOf);
const roomy = { ...LIMITS, cpuMs: 60_000 };
const objects =
  "const all = []; for (;;) { const some = []; for (let n = 0; n < 1000; n += 1) some.push(n + 0.5); all.push(some); }";
await overshoot(`peak MB past ${MEMORY_MB}: objects`, roomy, objects, peakOf);
await overshoot(
  `peak MB past ${MEMORY_MB}: buffers`,
  roomy,
  "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));",
  peakOf,
);
await overshoot(
  `peak MB past ${MEMORY_MB}: small buffers`,
  roomy,
  "const all = []; for (;;) all.push(new Uint8Array(1000).fill(1));",
  peakOf,
);
await overshoot(
  `wall ms past ${WALL_MS}: never answers`,
  { ...LIMITS, wallTimeMs: WALL_MS },
  "await new Promise(() => {});",
  wallOf,
);

await successor("after processor time", LIMITS, "for (;;);");
await successor("after memory", roomy, objects);

await cost();
await neighbours();

/** The distribution of what `measure` sees of a plugin that runs into its limit. */
async function overshoot(what, limits, body, measure) {
  const past = [];
  if (RUNS === 0) return;
  for (let run = 0; run < RUNS; run += 1) {
    // A runner of its own each time: a plugin that breaches often is made to wait.
    const { runner, plugin, pid } = await attacker(limits, body);
    past.push(await measure(pid, () => plugin.invokeRoute("run", 0, REQUEST).catch(() => undefined)));
    await runner.terminateAll();
  }
  print(what.padEnd(36), distribution(past));
}

async function attacker(limits, body) {
  const runner = createSandboxRunner({ db: {}, limits });
  const code = `export default { routes: { run: async () => { ${body} }, ping: () => 1 } };`;
  const plugin = await runner.load({ id: "attacker", version: "1", capabilities: [] }, code);
  await plugin.invokeRoute("ping", 0, REQUEST);
  return { runner, plugin, pid: runner.status().plugins[0].processId };
}

/** Processor time: the last that was seen of the process before it was gone, a millisecond or so earlier. */
async function cpuOf(pid, attack) {
  const before = cpuMs(pid);
  let last = before;
  const watching = setInterval(() => {
    last = Math.max(last, cpuMs(pid) ?? 0);
  }, 1);
  await attack();
  clearInterval(watching);
  return last - before - CPU_MS;
}

/** Of all its threads, as the limit counts it; in nanoseconds, unlike `stat`, which counts in ticks of 10 ms. */
function cpuMs(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const used = threads.map((id) => readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]);
    return used.reduce((sum, ns) => sum + Number(ns), 0) / 1e6;
  } catch {
    return undefined;
  }
}

async function peakOf(pid, attack) {
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, anonymousMb(pid));
  }, 1);
  await attack();
  clearInterval(watching);
  return peak - MEMORY_MB;
}

function anonymousMb(pid) {
  try {
    return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
  } catch {
    return 0;
  }
}

async function wallOf(_pid, attack) {
  const start = performance.now();
  await attack();
  return performance.now() - start - WALL_MS;
}

/**
 * How long the next call takes, made as soon as the breach is told of: until it is answered, by a fresh process. After a
 * second breach, too, which must not make it wait any longer.
 */
async function successor(what, limits, body) {
  const times = [];
  for (let run = 0; run < RUNS; run += 1) {
    const { runner, plugin } = await attacker(limits, body);
    for (let breach = 0; breach < 2; breach += 1) {
      await plugin.invokeRoute("run", 0, REQUEST).catch(() => undefined);
      const start = performance.now();
      await plugin.invokeRoute("ping", 0, REQUEST);
      times.push(performance.now() - start);
    }
    await runner.terminateAll();
  }
  if (RUNS > 0) print(`ms to the next answer, ${what}`.padEnd(36), distribution(times));
}

function distribution(values) {
  return [0.5, 0.9, 1].map((q) => quantile(values, q).toFixed(1).padStart(6)).join(" ");
}

/**
 * What enforcement adds to a call: the same call with a build of this package that looks at no clock, in turns, so that
 * what else the machine does hits both alike. What is told is the median of all pairs' differences, with the range that it
 * lies in by 95 % (a bootstrap over the pairs).
 */
async function cost() {
  const other = await import(pathToFileURL(join(UNWATCHED, "dist/sandbox.js")).href);
  const creates = [createSandboxRunner, other.createSandboxRunner];
  const latencies = [];
  const processors = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const sides = [];
    // Whoever is made first is slower, by two or three percent of a call; so each is, every other time.
    for (const at of pair % 2 ? [0, 1] : [1, 0]) {
      const runner = creates[at]({ db: {}, limits: UNREACHED });
      const code = "export default { hooks: { noop: () => 1 } };";
      const plugin = await runner.load({ id: "quick", version: "1", capabilities: [] }, code);
      await latency(plugin, 500);
      sides[at] = { runner, plugin, medians: [], cpu: 0 };
    }
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const side of turn % 2 ? sides : sides.toReversed()) {
        const before = process.cpuUsage();
        side.medians.push(quantile(await latency(side.plugin, 50), 0.5));
        const { user, system } = process.cpuUsage(before);
        side.cpu += user + system;
      }
    }
    const [enforced, not] = sides;
    latencies.push((quantile(enforced.medians, 0.5) / quantile(not.medians, 0.5) - 1) * 100);
    processors.push((enforced.cpu / not.cpu - 1) * 100);
    await Promise.all(sides.map(({ runner }) => runner.terminateAll()));
  }
  const told = (all) => {
    const [low, high] = rangeOfMedian(all);
    return `${quantile(all, 0.5).toFixed(1).padStart(6)}   ${low.toFixed(1)} to ${high.toFixed(1)}`;
  };
  print("");
  print("cost on a no-op hook, %".padEnd(38), "p50   where it lies by 95 %");
  print("latency".padEnd(36), told(latencies));
  print("processor time of Node's process".padEnd(36), told(processors));
}

/** Of the medians of a thousand samples of as many, drawn from these: the middle 95 %. */
function rangeOfMedian(values) {
  const medians = Array.from({ length: 1000 }, () => {
    const drawn = values.map(() => values[Math.floor(Math.random() * values.length)]);
    return quantile(drawn, 0.5);
  });
  return [quantile(medians, 0.025), quantile(medians, 0.975)];
}

/** The latency of a plugin beside one that spins, whose process keeps to one core. */
async function neighbours() {
  const runner = createSandboxRunner({ db: {}, limits: UNREACHED });
  const load = (id, code) => runner.load({ id, version: "1", capabilities: [] }, code);
  const attacking = await load(
    "attacking",
    "export default { routes: { ping: () => 1, run: () => { for (;;); } } };",
  );
  const quiet = await load("quiet", "export default { hooks: { noop: () => 1 } };");
  await attacking.invokeRoute("ping", 0, REQUEST);
  await latency(quiet, 3000);
  const alone = await latency(quiet, 5000);
  const pid = runner.status().plugins[0].processId;
  const pinned = spawnSync("taskset", ["-a", "-p", "1", String(pid)]).status === 0;
  const attack = attacking.invokeRoute("run", 0, REQUEST).catch(() => undefined);
  const beside = await latency(quiet, 5000);
  await runner.terminateAll();
  await attack;
  const shown = (times) =>
    `p50 ${quantile(times, 0.5).toFixed(0)} µs   p99 ${quantile(times, 0.99).toFixed(0)} µs`;
  print("");
  print("neighbour alone".padEnd(38), shown(alone));
  print(`neighbour of one that spins${pinned ? ", on one core" : ""}`.padEnd(38), shown(beside));
  print("times the median".padEnd(38), (quantile(beside, 0.5) / quantile(alone, 0.5)).toFixed(2));
}

async function latency(plugin, count) {
  const times = [];
  for (let n = 0; n < count; n += 1) {
    const start = performance.now();
    await plugin.invokeHook("noop", n);
    times.push((performance.now() - start) * 1000);
  }
  return times;
}

function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

function print(...parts) {
  process.stdout.write(`${parts.join(" ")}\n`);
}
