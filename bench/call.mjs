// What a call costs: `node bench/call.mjs`, after a build. Figures of one run on one machine, for finding what to look
// at; `npm run bench` compares with the peer, in turn and in medians.

const rss = process.memoryUsage.rss();
const importing = performance.now();
const { createSandboxRunner } = await import("emdash-sandbox-native/sandbox");
print("import the package", since(importing), `${((process.memoryUsage.rss() - rss) / 1e6).toFixed(1)} MB`);

const CODE = `export default { hooks: { noop: (event) => event.n, log: (_, ctx) => ctx.log.debug("x") } };`;
console.debug = () => {};
const creating = performance.now();
const runner = createSandboxRunner({ db: {} });
print("make a runner", since(creating));

const starting = performance.now();
const plugin = await runner.load({ id: "bench", version: "1", capabilities: [] }, CODE);
print("load a plugin", since(starting));
await plugin.invokeHook("noop", { n: 1 });
print("load to first answer", since(starting));
const starts = [];
for (let at = 0; at < 10; at += 1) {
  const start = performance.now();
  const other = await runner.load({ id: `bench-${at}`, version: "1", capabilities: [] }, `${CODE} // ${at}`);
  await other.invokeHook("noop", { n: 1 });
  starts.push(performance.now() - start);
}
print("the same of ten more, median", ms(quantile(starts, 0.5)));

await oneByOne("noop", 2000);
print("no-op hook, one by one", ...(await oneByOne("noop", 10_000)));
print("hook with a log line", ...(await oneByOne("log", 5000)));
print("hook that the plugin does not have", ...(await oneByOne("none", 100_000)));
const cpu = process.cpuUsage();
const deep = performance.now();
const calls = 40_000;
await Promise.all(Array.from({ length: 32 }, () => oneByOne("noop", calls / 32)));
const { user, system } = process.cpuUsage(cpu);
print("no-op hook, 32 at once", `${Math.round((calls / (performance.now() - deep)) * 1000)} /s`);
print("CPU of Node's process for each of them", `${((user + system) / calls).toFixed(0)} µs`);
await runner.terminateAll();

async function oneByOne(hook, count) {
  const times = [];
  for (let at = 0; at < count; at += 1) {
    const start = performance.now();
    await plugin.invokeHook(hook, { n: at });
    times.push(performance.now() - start);
  }
  return [`p50 ${micros(quantile(times, 0.5))}`, `p99 ${micros(quantile(times, 0.99))}`];
}

function quantile(times, q) {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * q)];
}

function since(start) {
  return ms(performance.now() - start);
}

function ms(time) {
  return `${time.toFixed(1)} ms`;
}

function micros(time) {
  return `${(time * 1000).toFixed(time < 0.01 ? 2 : 0)} µs`;
}

function print(what, ...figures) {
  console.log(`${what.padEnd(42)} ${figures.join("   ")}`);
}
