/** What the jail around each plugin's process comes to: said once, and a reason to run no plugin where it must hold. */
import type { NativeJailReport } from "../index.js";
import { warn } from "./log.js";

/** Why no plugin may run, with the remedy, or null. What `auto` lacks is logged, once for the process. */
export function jailRefusal({ mode, missing }: Pick<NativeJailReport, "mode" | "missing">): string | null {
  if (missing === null || mode === "off") return null;
  if (mode === "require") {
    return `EMDASH_SANDBOX_JAIL is require, and the jail would lack ${missing}. Or set it to auto`;
  }
  if (!said) warn(`The jail around plugins lacks ${missing}`);
  said = true;
  return null;
}

let said = false;
