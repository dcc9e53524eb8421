/** By what plugins' processes and the host reach each other, and what does not hold where that is not Linux's default. */
import type { NativeTransportReport } from "../index.js";
import { warn } from "./log.js";

/** Says it once for the process. */
export function warnOfGaps({ gaps }: NativeTransportReport): void {
  if (said || gaps.length === 0) return;
  warn(`Plugins run with less than Linux gives them by default: ${gaps.join("; ")}`);
  said = true;
}

let said = false;
