// `npm run bench`: the peer, this package and the floor, in turn, on one machine and one database.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { chart } from "./lib/chart.mjs";
import { contenders } from "./lib/contenders.mjs";
import { median } from "./lib/measure.mjs";
import { lines, table } from "./lib/report.mjs";
import { DATABASES, openSite } from "./lib/site.mjs";
import { aloneRows } from "./rows/alone.mjs";
import { callRows } from "./rows/calls.mjs";
import { lifecycleRows } from "./rows/lifecycle.mjs";

const ROWS = [...callRows, ...lifecycleRows, ...aloneRows];
const ALL = ["peer", "ours", "floor"];

const HELP = `npm run bench -- [options]

Compares this package with @emdash-cms/sandbox-workerd (the peer) and with a bare WebSocket echo through workerd
(the floor). Each row is measured in turn, several times; the table shows medians.

  --rows a,b       only these rows: ${ROWS.map(({ id }) => id).join(", ")}
  --rounds n       how often each is measured; 5
  --database name  ${Object.keys(DATABASES).join(" or ")}; the first
  --json file      where the figures go; bench/results/latest.json
  --svg file       where the chart goes; bench/results/latest.svg
  --help           this text
`;

const options = parsed();
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

// Plugins' and runners' own words would stand in the table.
for (const level of ["debug", "info", "warn"]) console[level] = () => {};

const site = await openSite(options.database);
const starts = await contenders(site);
const load = loadavg().map((number) => number.toFixed(1));
const rounds = [];
let running = {};
try {
  running = await startAll();
  for (let round = 1; round <= options.rounds; round += 1) {
    const measured = {};
    for (const row of options.rows) {
      measured[row.id] = {};
      // Whoever comes first finds the caches as another row left them.
      const who = row.who ?? ALL;
      for (const name of round % 2 === 0 ? who.toReversed() : who) {
        progress(`round ${round} of ${options.rounds}: ${row.title}: ${name}`);
        measured[row.id][name] = await measure(row, name, running);
      }
    }
    rounds.push(measured);
  }
} finally {
  progress("");
  // Also when one of them failed: their processes and folders are to be gone.
  await Promise.all(Object.values(running).map((subject) => subject.close()));
  await starts.remove();
  await site.close();
}

const result = {
  machine: await machine(),
  database: options.database,
  rounds: options.rounds,
  rows: medians(),
};
process.stdout.write(table(result));
await save(options.json, `${JSON.stringify(result, null, 2)}\n`);
await save(options.svg, chart(result));
// The peer leaves what keeps Node alive.
process.exit();

/** One of each, with ten plugins, for the rows that call them. */
async function startAll() {
  if (!options.rows.some((row) => callRows.includes(row))) return {};
  const running = { peer: await starts.peer(10), ours: await starts.ours(), floor: await starts.floor() };
  for (const name of ["peer", "ours"]) running[name].plugins = await running[name].loadAll(10);
  return running;
}

function measure(row, name, running) {
  if (row.isAlone) return row.run(name);
  if (callRows.includes(row)) return row.run(running[name]);
  return (row[name] ?? row.run)(starts[name]);
}

/** Of each row, measure and contender over the rounds. */
function medians() {
  return options.rows.map(({ id, title, who = ALL }) => {
    const measures = {};
    for (const name of who)
      for (const measure of Object.keys(rounds[0][id][name])) {
        measures[measure] ??= {};
        measures[measure][name] = median(rounds.map((round) => round[id][name][measure]));
      }
    return { id, title, measures: lines(id, measures) };
  });
}

async function machine() {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  return {
    version,
    node: process.version,
    cores: cpus().length,
    processor: cpus()[0].model,
    load,
    date: new Date().toISOString().slice(0, 10),
  };
}

async function save(file, text) {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** On a terminal only. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function parsed() {
  try {
    const { values } = parseArgs({
      options: {
        rows: { type: "string" },
        rounds: { type: "string", default: "5" },
        database: { type: "string", default: "libsql" },
        json: { type: "string", default: "bench/results/latest.json" },
        svg: { type: "string", default: "bench/results/latest.svg" },
        help: { type: "boolean", default: false },
      },
    });
    if (!/^[1-9]\d{0,2}$/.test(values.rounds)) throw new Error("--rounds takes a number from 1 to 999");
    if (!Object.hasOwn(DATABASES, values.database))
      throw new Error(`there is no database ${values.database}`);
    const wanted = values.rows?.split(",");
    const unknown = wanted?.filter((id) => !ROWS.some((row) => row.id === id)) ?? [];
    if (unknown.length > 0) throw new Error(`there is no row ${unknown.join(", ")}`);
    const rows = ROWS.filter(({ id }) => wanted?.includes(id) ?? true);
    return { ...values, rounds: Number(values.rounds), rows };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}
