// What a developer waits for, on each of the two runners: `node bench/dev.mjs`, after `npm run build`.
import { MiniflareDevRunner, WorkerdSandboxRunner } from "../dist/sandbox.js";

const ROUNDS = 7;
const CALLS = 300;

const request = { url: "https://site.example/", method: "POST", headers: {}, meta: {} };
const manifest = { id: "bench", version: "1.0.0", capabilities: [], storage: {} };
const siteInfo = { name: "Bench", url: "https://site.example", locale: "en" };

for (const level of ["info", "warn"]) console[level] = () => {};

for (const Runner of [WorkerdSandboxRunner, MiniflareDevRunner]) {
  const runner = new Runner({ db: {}, siteInfo });
  const before = process.memoryUsage().rss;
  const first = await timed(() => reload(runner, "first"));
  const memory = (process.memoryUsage().rss - before) / 1024 / 1024;
  const reloads = [];
  const broken = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    reloads.push(await timed(() => reload(runner, round)));
    broken.push(await timed(() => reload(runner, "}").catch(() => {})));
  }
  const plugin = await reload(runner, "calls");
  const calls = await timed(async () => {
    for (let call = 0; call < CALLS; call += 1) await plugin.invokeRoute("run", call, request);
  });
  console.log(Runner.name);
  console.log(
    `  first plugin, load to answer   ${first.toFixed(0)} ms, ${memory.toFixed(0)} MB more in Node`,
  );
  console.log(`  changed code, load to answer   ${median(reloads).toFixed(0)} ms`);
  console.log(`  syntax error, load to error    ${median(broken).toFixed(0)} ms`);
  console.log(`  a call                         ${(calls / CALLS).toFixed(2)} ms`);
  await runner.terminateAll();
}

async function reload(runner, mark) {
  const code = `export default { routes: { run: ({ input }) => [input, ${typeof mark === "string" && mark !== "}" ? `"${mark}"` : mark}] } };`;
  const plugin = await runner.load(manifest, code);
  await plugin.invokeRoute("run", 0, request);
  return plugin;
}

async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function median(times) {
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}
