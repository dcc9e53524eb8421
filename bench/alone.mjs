// One row of the benchmark for one contender, in a process of its own: `bench/rows/alone.mjs` starts it.
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { anonymousMb, proportionalMb } from "./lib/measure.mjs";

const [row, name] = process.argv.slice(2);

const SIZES = [1, 10, 30];
const WORN_CALLS = 60_000;
const LOOP_SECONDS = 3;

if (row === "import") {
  const { unpackPeer } = await import("./lib/peer.mjs");
  const unpacked = name === "peer" ? await unpackPeer() : undefined;
  const entry = unpacked?.entry ?? "emdash-sandbox-native/sandbox";
  globalThis.gc();
  // Not the pages of Node's own program that an import happens to touch.
  const own = anonymousMb([process.pid]);
  const start = performance.now();
  await import(entry);
  const ms = performance.now() - start;
  print({ ms, MB: anonymousMb([process.pid]) - own });
  await unpacked?.remove();
} else {
  const { openSite } = await import("./lib/site.mjs");
  const { contenders } = await import("./lib/contenders.mjs");
  const site = await openSite();
  const starts = await contenders(site);
  const start = starts[name];
  try {
    print(await { memory, idle: memory, worn, loop }[row](start));
  } finally {
    await starts.remove();
    await site.close();
  }
}
// The peer leaves what keeps Node alive.
process.exit();

/** Node's growth since before the runner was made, and what the workerds cost the machine. */
async function memory(start) {
  const before = await settledRss();
  const contender = await start(SIZES.at(-1));
  const plugins = [];
  const measures = {};
  for (const size of SIZES) {
    plugins.push(...(await contender.loadAll(size - plugins.length)));
    for (let n = 0; n < 20; n += 1)
      await Promise.all(plugins.map((plugin) => plugin.invokeHook("noop", { n })));
    // The peer has no such time: what it needs when idle is what it needs.
    if (row === "idle") await pause(2500);
    // What making the site left behind may go later than it was waited for.
    const node = Math.max(0, (await settledRss()) - before) / 1024 / 1024;
    measures[`${size}`] = node + proportionalMb(contender.workerds());
  }
  await contender.close();
  return measures;
}

/** What making the site has used is given back in pieces; it must not count for the runner. */
async function settledRss() {
  for (let last = Number.POSITIVE_INFINITY; ; ) {
    globalThis.gc();
    await pause(300);
    const rss = process.memoryUsage.rss();
    if (last - rss < 256 * 1024) return rss;
    last = rss;
  }
}

async function worn(start) {
  const contender = await start();
  const [plugin] = await contender.loadAll(1);
  const [pid] = contender.workerds();
  const fresh = anonymousMb([pid]);
  let n = 0;
  const caller = async () => {
    while (n < WORN_CALLS) {
      n += 1;
      await plugin.invokeHook("noop", { n });
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  const measures = { "fresh MB": fresh, MB: anonymousMb([pid]) };
  await contender.close();
  return measures;
}

/** Ten hooks every ten milliseconds; those of a tick that comes late are made up for. */
async function loop(start) {
  const contender = await start();
  const [plugin] = await contender.loadAll(1);
  for (let n = 0; n < 500; n += 1) await plugin.invokeHook("noop", { n });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const used = performance.eventLoopUtilization();
  const begin = performance.now();
  const underWay = [];
  delay.enable();
  for (let called = 0; called < LOOP_SECONDS * 1000; ) {
    const due = performance.now() - begin;
    for (; called < due; called += 1) underWay.push(plugin.invokeHook("noop", { n: called }));
    await pause(10);
  }
  delay.disable();
  const { utilization } = performance.eventLoopUtilization(used);
  await Promise.all(underWay);
  await contender.close();
  return {
    "delay p50 ms": delay.percentile(50) / 1e6,
    "delay p99 ms": delay.percentile(99) / 1e6,
    "busy %": utilization * 100,
  };
}

function print(measures) {
  process.stdout.write(`${JSON.stringify(measures)}\n`);
}
