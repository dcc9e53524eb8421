// Times, processor time and memory, of this process and of workerds.
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/**
 * Calls `call` `count` times, `depth` at once, and tells of each call the time that it took and the processor time that
 * this process (all its threads) and the workerds spent on it, in µs, and how many of them a second were answered.
 */
export async function calls(call, { count, depth = 1, workerds = () => [] }) {
  const times = [];
  let next = 0;
  const before = workerdCpu(workerds());
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const one = async () => {
    while (next < count) {
      next += 1;
      const start = performance.now();
      await call(next);
      times.push((performance.now() - start) * 1000);
    }
  };
  await Promise.all(Array.from({ length: depth }, one));
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    "p50 µs": quantile(times, 0.5),
    "p99 µs": quantile(times, 0.99),
    "calls/s": count / seconds,
    "Node CPU µs": (user + system) / count,
    "workerd CPU µs": (workerdCpu(workerds()) - before) / count,
  };
}

/** The time that something takes once, in milliseconds. */
export async function once(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

export const median = (values) => quantile(values, 0.5);

/** Of all their threads, in µs, to the nanosecond (`schedstat`, proc(5)). */
function workerdCpu(pids) {
  let sum = 0;
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
      sum += Number(ran) / 1000;
    }
  return sum;
}

/** What processes cost the machine, in MB: pages that several share are divided among them. */
export function proportionalMb(pids) {
  return sumOf(pids, "smaps_rollup", /^Pss:\s+(\d+) kB/m);
}

/** What is theirs alone and on no disk, in MB. */
export function anonymousMb(pids) {
  return sumOf(pids, "status", /^RssAnon:\s+(\d+) kB/m);
}

function sumOf(pids, file, line) {
  const kilobytes = pids.map((pid) => Number(line.exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))[1]));
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}
