/** How the commands are used, and the error for who uses them otherwise. */

export class UsageError extends Error {
  readonly usage: string;

  constructor(message: string, usage: string) {
    super(message);
    this.usage = usage;
  }
}

/**
 * What `parse` makes of the arguments.
 *
 * @throws UsageError when an option is none, or lacks its value
 */
export function parsed<Values>(parse: () => Values, usage: string): Values {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), usage);
  }
}

export const USAGE = `emdash-sandbox-native doctor [--json]
    says what this machine has, and whether plugins can run on it
emdash-sandbox-native run <plugin.mjs> (--hook <name> | --route <name>) [options]
    runs a plugin's hook or route on a temporary database
emdash-sandbox-native --version`;

export const DOCTOR_USAGE = `emdash-sandbox-native doctor [--json]

Looks at what plugins need of this machine, starts one, calls it and stops it.
✓ is there, ! is not and plugins run without it, ✗ keeps plugins from running.

  --json    the same as JSON, on standard output
  --help    this text

Exit code: 0 when a plugin can run here, 1 when none can, 2 for a wrong option.`;

export const RUN_USAGE = `emdash-sandbox-native run <plugin.mjs> --hook <name> [--event <json>] [options]
emdash-sandbox-native run <plugin.mjs> --route <name> [--input <json>] [options]

Runs a hook or a route of a plugin in the sandbox, on a temporary SQLite database that EmDash's own migrations have set
up. The answer goes to standard output as JSON; logs, times and what was used of the limits go to standard error.

  --event <json>       what the hook is called with: JSON, @file, or - for standard input; {} when it is not given
  --input <json>       what the route is called with, in the same ways; nothing when it is not given
  --manifest <file>    the plugin's manifest; else the manifest.json beside the plugin; else one without capabilities
  --seed               a collection "posts" with three entries in the database
  --json               one JSON object with answer or error, times, use and limits, instead of the answer alone
  --help               this text

The environment sets limits as it does for a site; EMDASH_SANDBOX_LIMITS=cloudflare enforces Cloudflare's.
Exit code: 0 when the plugin answered, 1 when it failed or can't run here, 2 for a wrong option or an unreadable file.`;
