/** What `run` tells: the answer on standard output, all else on standard error. */
import type { Outcome } from "./perform.js";
import { excerpt, placesOf } from "./place.js";
import type { RunRequest } from "./request.js";

/** What is known before the plugin runs. */
export function announce({ manifest, kind, name, manifestNote }: RunRequest, database: string): void {
  say(`${manifest.id} ${manifest.version}: ${kind} ${name}, on ${database}`);
  if (manifestNote !== null) say(`! ${manifestNote}`);
}

export function tell(request: RunRequest, outcome: Outcome): void {
  if (request.isJson) process.stdout.write(`${JSON.stringify(asData(request, outcome), null, 2)}\n`);
  else if (outcome.error === null) tellAnswer(outcome.answer);
  if (outcome.error !== null) tellError(outcome.error, request);
  for (const line of figures(outcome)) say(line);
}

/** Documented in docs/cli.md. */
function asData({ manifest, kind, name, file }: RunRequest, outcome: Outcome) {
  const { answer, error, startMs, callMs, used, limits } = outcome;
  return {
    ok: error === null,
    plugin: { id: manifest.id, version: manifest.version },
    kind,
    name,
    // JSON knows no undefined.
    answer: answer ?? null,
    error: error && { name: error.name, message: error.message, places: placesOf(error, file) },
    startMs,
    callMs,
    used,
    limits,
  };
}

function tellAnswer(answer: unknown): void {
  if (answer === undefined) say("it answered undefined, which is no JSON: nothing on standard output");
  else process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
}

function tellError(error: Error, { file, code }: RunRequest): void {
  say(`✗ ${error.message}`);
  const places = placesOf(error, file);
  for (const { text } of places) say(`    ${text}`);
  const [first] = places;
  if (first) for (const line of excerpt(code, first)) say(`  ${line}`);
}

function figures({ error, startMs, callMs, used, limits }: Outcome): string[] {
  if (startMs === null) return [];
  const lines = [`${error === null ? "✓ answered" : "✗ failed"}; its process had started in ${ms(startMs)}`];
  if (callMs === null || used === null || limits === null) return lines;
  const cpu =
    limits.cpuRule === "exact"
      ? ms(limits.cpuMs)
      : `${ms(limits.cpuMs)} on average, ${ms(limits.cpuMs * 10)} at once`;
  const rows: [what: string, used: string, limit: string][] = [
    ["wall time", ms(callMs), ms(limits.wallTimeMs)],
    ["processor time", ms(used.cpuMs), cpu],
    ["memory", `${used.memoryMb.toFixed(1)} MB`, `${limits.memoryMb} MB`],
    ["calls on ctx", String(used.subrequests), String(limits.subrequests)],
  ];
  return [
    ...lines,
    ...rows.map(([what, used, limit]) => `  ${what.padEnd(14)}  ${used.padStart(10)}  of ${limit}`),
  ];
}

function ms(time: number): string {
  return `${Number.isInteger(time) ? time : time.toFixed(1)} ms`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
