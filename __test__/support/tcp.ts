/** Imported first, it has every runner of this file meet its plugins on ports of 127.0.0.1, as systems other than Linux do. */
import process from "node:process";
// Here, so that its hooks are for all of the suites that a file imports.
import "./runner.js";

// A process per file: nothing has to be put back. Not by a stub, which a suite may undo.
process.env.EMDASH_SANDBOX_TRANSPORT = "tcp";
