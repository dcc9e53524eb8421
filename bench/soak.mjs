// A site's life in fast motion: `node bench/soak.mjs [--seconds 600] [--seed S]`, after a build. Plugins are called
// without a pause while others, and they themselves, are loaded, swapped, unloaded, killed, flooded, hung and filled up.
// Every call is accounted for. Ends with code 1, and with what went wrong, when one was answered wrongly, failed in a way
// that is not documented or hung, when a write that was acknowledged is not in the database, or when anything is left.
import { randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { runMigrations } from "emdash/db";
import { Kysely } from "kysely";
import { isDocumented } from "./documented-errors.mjs";
import { childrenOfThis, held, surplus } from "./held.mjs";
import { seeded } from "./seeded.mjs";

const { values: args } = parseArgs({ options: { seconds: { type: "string" }, seed: { type: "string" } } });
const SECONDS = Number(args.seconds ?? 600);
const SEED = Number(args.seed ?? randomInt(2 ** 31));

const PLUGINS = 6;
const CALLERS = 4;
/** Far beyond all that a call may take: its wall time, a start and the end of a process that spins. */
const HUNG_AFTER_MS = 60_000;
/** What Node's memory may have grown by from the first rest to the last: V8 and libSQL keep some of what they freed. */
const MAX_GROWTH_MB = 48;

const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-soak-"));
Object.assign(process.env, {
  TMPDIR: folder,
  EMDASH_SANDBOX_IDLE_MS: "2000",
  EMDASH_SANDBOX_START_TIMEOUT_MS: "3000",
});
const { createSandboxRunner } = await import("emdash-sandbox-native/sandbox");

const random = seeded(SEED);
const random0 = (below) => Math.floor(random() * below);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const lines = countLines();
const wrong = [];
const counts = { answered: 0, failed: 0, actions: {} };
const reasons = new Map();
const pending = new Map();

const db = new Kysely({ dialect: new LibsqlDialect({ url: `file:${join(folder, "site.db")}` }) });
await runMigrations(db);
const runner = createSandboxRunner({ db, limits: { wallTimeMs: 2000, memoryMb: 32 } });
if (!runner.isAvailable()) throw new Error(runner.unavailableReason());

/** What each caller knows of its own key: the number that it tried last, and the last that was acknowledged. */
const ledger = new Map();
const handles = [];
const versions = Array(PLUGINS).fill(1);
let round = 0;
let isDone = false;

/** All that a plugin of the soak can do; `round` makes each code another one. */
function code() {
  round += 1;
  return `// ${round}
  export default {
    hooks: { "content:beforeSave": (event) => event },
    routes: {
      async add({ input }, ctx) { await ctx.kv.set(input.key, input.n); return ctx.kv.get(input.key); },
      echo: ({ input }) => input,
      async flood(_, ctx) {
        for (let n = 0; n < 3000; n += 1) { ctx.log.info("flood " + n); console.log("flood " + n); }
        await ctx.log.warn("x".repeat(100000)); return "dry";
      },
      async unawaited(_, ctx) { for (let n = 0; n < 50; n += 1) ctx.kv.set("u", n); return "left"; },
      spin() { for (;;); },
      buffers() { const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1)); },
      bomb() { const all = []; for (;;) all.push(new Array(1000).fill({})); },
      exit() { process.exit(3); },
      throws() { throw new Error("as it should"); },
    },
  };`;
}

const manifestOf = (at) => ({ id: `soak-${at}`, version: `${versions[at]}.0.0`, capabilities: [] });
const load = async (at) => {
  handles[at] = await runner.load(manifestOf(at), code());
};

/** What the plugin's own code throws, or V8 in it. */
const THROWN = { throws: "as it should", buffers: "Array buffer allocation failed" };

/** One call, in the account. `check` says whether its answer is right. */
async function call(at, name, input, check) {
  const key = Symbol(name);
  pending.set(key, { what: `${name} of soak-${at}`, since: Date.now() });
  const request = { url: "https://site.example/", method: "POST", headers: {}, meta: {} };
  try {
    const answer = await handles[at].invokeRoute(name, input, request);
    counts.answered += 1;
    if (!check(answer))
      wrong.push(`${name} of soak-${at} was answered with ${JSON.stringify(answer)?.slice(0, 80)}`);
    return true;
  } catch (error) {
    counts.failed += 1;
    const expected = error.message.endsWith(` route ${name} failed: ${THROWN[name]}`);
    if (!expected && !isDocumented(error))
      wrong.push(`${name} of soak-${at}: undocumented: ${error.message}`);
    const reason = error.message
      .replace(/^.*?(unavailable for \S+ |failed: |exceeded )/, "")
      .replace(/\d+/g, "n");
    const short = reason.slice(0, 90);
    reasons.set(short, (reasons.get(short) ?? 0) + 1);
    return false;
  } finally {
    pending.delete(key);
  }
}

async function add(at, key) {
  const entry = ledger.get(key) ?? { at, tried: 0, acknowledged: 0 };
  ledger.set(key, entry);
  entry.tried += 1;
  const n = entry.tried;
  if (await call(at, "add", { key, n }, (answer) => answer === n)) entry.acknowledged = n;
  return entry.acknowledged === n;
}

async function caller(at, name) {
  while (!isDone) {
    const dice = random();
    if (dice < 0.8) await add(at, name);
    else if (dice < 0.9) {
      const text = "é".repeat(random0(dice < 0.82 ? 1_500_000 : 3000));
      await call(at, "echo", text, (answer) => answer === text);
    } else if (dice < 0.97) {
      const event = { n: dice };
      const hook = await handles[at].invokeHook("no:such", event).catch((error) => error);
      if (hook !== undefined && !isDocumented(hook)) wrong.push(`a hook that is not there: ${hook}`);
    } else await call(at, "throws", {}, () => false);
    await pause(random0(15));
  }
}

/** What happens to plugins, and how often in relation. */
const ACTIONS = {
  swap: [8, load],
  // As EmDash updates: the old one is ended, the new one loaded and called at once.
  async update(at) {
    const old = handles[at];
    versions[at] += 1;
    const end = old.terminate();
    await load(at);
    await end;
  },
  async reload(at) {
    await handles[at].terminate();
    await load(at);
  },
  kill: [8, () => signal("SIGKILL")],
  term: [2, () => signal("SIGTERM")],
  flood: [3, (at) => call(at, "flood", {}, (answer) => answer === "dry")],
  unawaited: [3, (at) => call(at, "unawaited", {}, (answer) => answer === "left")],
  bomb: [2, (at) => call(at, "bomb", {}, () => false)],
  buffers: [2, (at) => call(at, "buffers", {}, () => false)],
  exit: [1, (at) => call(at, "exit", {}, () => false)],
  spin: [2, (at) => call(at, "spin", {}, () => false)],
  // What can't start takes its place, until it is loaded once more.
  async broken(at) {
    const bad = ["throw new Error('soak')", "syntax error", "for (;;);", ""][random0(4)];
    round += 1;
    handles[at] = await runner.load(manifestOf(at), `// ${round}\n${bad}`);
    await pause(random0(1500));
    await load(at);
  },
  // Comes and goes beside the others; sometimes before it is up.
  async visitor() {
    const plugin = await runner.load({ id: `visitor-${random0(3)}`, version: "1", capabilities: [] }, code());
    if (random() < 0.5) await plugin.ensureRunning().catch(() => {});
    await plugin.terminate();
  },
  // Nobody asks it for longer than a process is kept.
  async rare() {
    const plugin = await runner.load({ id: "rare", version: "1", capabilities: [] }, rareCode);
    await plugin.invokeRoute(
      "add",
      { key: "rare", n: 1 },
      { url: "", method: "POST", headers: {}, meta: {} },
    );
  },
  everything: [
    0.3,
    async () => {
      await runner.terminateAll();
      for (let at = 0; at < PLUGINS; at += 1) await load(at);
    },
  ],
};
const rareCode = code();
/** Each action as often as it weighs, in tenths. */
const bag = Object.entries(ACTIONS).flatMap(([name, action]) => {
  const [weight, run] = Array.isArray(action) ? action : [2, action];
  return Array(weight * 10).fill({ name, run });
});

async function actor() {
  while (!isDone) {
    const action = bag[random0(bag.length)];
    counts.actions[action.name] = (counts.actions[action.name] ?? 0) + 1;
    try {
      await action.run(random0(PLUGINS));
    } catch (error) {
      if (!isDocumented(error)) wrong.push(`${action.name}: ${error?.stack ?? error}`);
    }
    await pause(random0(300));
  }
}

/** Runs all of it for so long, and rests: then nothing may be there but Node. */
async function live(ms) {
  isDone = false;
  for (let at = 0; at < PLUGINS; at += 1) await load(at);
  const callers = handles.flatMap((_, at) =>
    Array.from({ length: CALLERS }, (_, n) => caller(at, `${at}-${n}`)),
  );
  const actors = [actor(), actor(), actor()];
  const watch = setInterval(() => {
    for (const [key, { what, since }] of pending) {
      if (Date.now() - since < HUNG_AFTER_MS) continue;
      wrong.push(`${what} hangs`);
      pending.delete(key);
    }
  }, 1000);
  const end = Date.now() + ms;
  while (Date.now() < end && wrong.length === 0) await pause(100);
  isDone = true;
  const all = Promise.all([...callers, ...actors]);
  let timer;
  const hangs = new Promise((resolve) => {
    timer = setTimeout(() => resolve("hangs"), HUNG_AFTER_MS + 5000);
  });
  if ((await Promise.race([all, hangs])) === "hangs") wrong.push("a caller or an action did not end");
  clearTimeout(timer);
  clearInterval(watch);
  return rest();
}

async function rest() {
  // Breakers may be open, for long: a plugin that is loaded anew begins anew, and what was acknowledged must be there.
  await runner.terminateAll();
  for (let at = 0; at < PLUGINS; at += 1) await load(at);
  for (const [key, { at, tried, acknowledged }] of ledger) {
    const stored = await storedValue(at, key);
    if (stored < acknowledged || stored > tried)
      wrong.push(`${key} is ${stored} in the database; ${acknowledged} was acknowledged, ${tried} tried`);
    if (!(await add(at, key))) wrong.push(`${key}: a call of a plugin at rest failed`);
    else if ((await storedValue(at, key)) !== tried + 1)
      wrong.push(`${key}: an acknowledged write is not there`);
  }
  await runner.terminateAll();
  if (runner.status().plugins.length > 0)
    wrong.push(`still loaded: ${JSON.stringify(runner.status().plugins)}`);
  const children = childrenOfThis();
  if (children.length > 0) wrong.push(`processes that are left: ${children.join(", ")}`);
  const files = readdirSync(folder).filter((name) => !name.startsWith("site.db"));
  if (files.length > 0) wrong.push(`files that are left: ${files.join(", ")}`);
  return held();
}

async function storedValue(at, key) {
  const rows = db.selectFrom("_plugin_storage").select("data").where("plugin_id", "=", `soak-${at}`);
  const row = await rows.where("collection", "=", "__kv").where("id", "=", key).executeTakeFirst();
  return row === undefined ? 0 : Number(row.data);
}

console.log(`soak: ${SECONDS} s, seed ${SEED}`);
const began = Date.now();
// The first sixth warms up: what Node, V8 and libSQL set up once is no leak.
const first = await live((SECONDS * 1000) / 6);
const last = wrong.length === 0 ? await live((SECONDS * 1000 * 5) / 6) : first;
if (last.descriptors.length > first.descriptors.length)
  wrong.push(
    `descriptors: ${first.descriptors.length} became ${last.descriptors.length}: ${surplus(first.descriptors, last.descriptors)}`,
  );
if (last.timers > first.timers) wrong.push(`timers: ${first.timers} became ${last.timers}`);
if (last.rss - first.rss > MAX_GROWTH_MB)
  wrong.push(`memory: ${first.rss.toFixed(0)} MB became ${last.rss.toFixed(0)} MB`);
await db.destroy();
rmSync(folder, { recursive: true });
report();

// All is closed, so Node ends by itself, before this has its turn.
setTimeout(() => {
  console.log("soak: this process does not end by itself");
  process.exit(1);
}, 20_000).unref();

function report() {
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(
    `actions: ${Object.entries(counts.actions)
      .map((each) => each.join(" "))
      .join(", ")}`,
  );
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]))
    console.log(`${String(count).padStart(8)}  ${reason}`);
  console.log(`log lines: ${lines.printed}, processes: ${runner.currentEpoch}`);
  console.log(
    `memory at rest: ${first.rss.toFixed(0)} MB, then ${last.rss.toFixed(0)} MB; descriptors: ${first.descriptors.length}, then ${last.descriptors.length}`,
  );
  for (const what of new Set(wrong.slice(0, 20))) console.log(`wrong: ${what}`);
  const verdict =
    wrong.length === 0 ? "none hung, none lost, nothing left" : `${wrong.length} things went wrong`;
  console.log(
    `soak: ${seconds} s, seed ${SEED}: ${counts.answered} calls answered, ${counts.failed} failed as documented, ${verdict}`,
  );
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

/** What a plugin's process is ended with from outside, whichever it hits. */
function signal(name) {
  const children = childrenOfThis();
  if (children.length > 0) kill(children[random0(children.length)], name);
}

function kill(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended.
  }
}

/** Lines are counted, not printed: floods are among what is tested. */
function countLines() {
  const lines = { printed: 0 };
  for (const level of ["debug", "info", "warn", "error"]) {
    console[level] = () => {
      lines.printed += 1;
    };
  }
  return lines;
}
