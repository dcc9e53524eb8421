/** What the jail around each plugin's process comes to: said once, and a reason to run no plugin where it must hold. */
import type { NativeJailReport } from "../index.js";
import { warn } from "./log.js";
import { isProgram } from "./workerd-binary.js";

type Needed = Pick<NativeJailReport, "mode" | "missing" | "layers">;

/** Why no plugin may run by this workerd, with the remedy, or null. What `auto` lacks is logged, once for the process. */
export function jailRefusal(report: Needed, workerd: string): string | null {
  const { mode, missing, layers } = report;
  if (mode === "off") return null;
  const lacks = lacksRequired(report);
  if (lacks !== null) return lacks;
  if (layers.some(({ name, enforced }) => enforced && FOR_A_PROGRAM.has(name)) && !isProgram(workerd)) {
    const { arch } = process;
    const binary = `node_modules/@cloudflare/workerd-linux-${arch === "x64" ? "64" : arch}/bin/workerd`;
    return `${workerd} is a script, which the jail would let start nothing. Let EMDASH_WORKERD_BIN name workerd's binary itself, as ${binary}`;
  }
  if (missing !== null && !said) {
    warn(`The jail around plugins lacks ${missing}`);
    said = true;
  }
  return null;
}

/** Why nothing may run where all of the jail must hold, or null. */
export function lacksRequired({ mode, missing }: Pick<Needed, "mode" | "missing">): string | null {
  if (mode !== "require" || missing === null) return null;
  return `EMDASH_SANDBOX_JAIL is require, and the jail would lack ${missing}. Or set it to auto`;
}

let said = false;

/** The layers that are made for one program, and end what becomes another. */
const FOR_A_PROGRAM = new Set(["files", "calls"]);
