/** `doctor`: what this host has, on one screen or as JSON. */
import { parseArgs } from "node:util";
import { type Check, type Diagnosis, diagnose } from "./doctor.js";
import { DOCTOR_USAGE, parsed, UsageError } from "./usage.js";

const OPTIONS = { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;

export async function doctorCommand(args: string[]): Promise<number> {
  const { values, positionals } = parsed(
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    DOCTOR_USAGE,
  );
  if (values.help) {
    process.stdout.write(`${DOCTOR_USAGE}\n`);
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`doctor takes no ${positionals[0]}`, DOCTOR_USAGE);
  const diagnosis = await diagnose();
  process.stdout.write(`${values.json ? JSON.stringify(diagnosis, null, 2) : screen(diagnosis)}\n`);
  return diagnosis.ok ? 0 : 1;
}

const SIGNS = { ok: "✓", warning: "!", failed: "✗" };

/** A line for each check, and one for its remedy. */
function screen({ version, platform, checks, ok }: Diagnosis): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ status, title, found, remedy }: Check) => {
    const line = `${SIGNS[status]} ${title.padEnd(width)}  ${found}`;
    return remedy === null ? [line] : [line, `${" ".repeat(width + 4)}→ ${remedy}`];
  });
  const verdict = ok ? "Plugins can run here." : "No plugin can run here: see ✗.";
  return [`emdash-sandbox-native ${version} on ${platform}`, "", ...lines, "", verdict].join("\n");
}
