/** `run`: a plugin's hook or route on a temporary database, as its author's test bench. */
import { openDatabase } from "./database.js";
import { MissingPackage } from "./packages.js";
import { perform } from "./perform.js";
import { readRequest } from "./request.js";
import { announce, tell } from "./run-report.js";
import { RUN_USAGE } from "./usage.js";

export async function runCommand(args: string[]): Promise<number> {
  const request = readRequest(args);
  if (request === null) {
    process.stdout.write(`${RUN_USAGE}\n`);
    return 0;
  }
  const database = await openDatabase(request).catch((error) => {
    if (error instanceof MissingPackage) return error;
    throw error;
  });
  if (database instanceof MissingPackage) {
    process.stderr.write(`✗ ${database.message}\n`);
    return 1;
  }
  try {
    announce(request, database.description);
    const outcome = await perform(request, database.db);
    tell(request, outcome);
    return outcome.error === null ? 0 : 1;
  } finally {
    await database.close();
  }
}
