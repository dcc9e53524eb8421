/** What the host says to a guest, as in `src/channel/frame.rs`. */

/** `payload` is JSON text. */
export function invokeFrame(number: number, kind: "hook" | "route", name: string, payload: string): string {
  return `{"invoke":${number},"${kind}":${JSON.stringify(name)},"payload":${payload}}`;
}

/** `value` is JSON text; without it the answer is undefined. `hasBytes` when some have been left that belong into it. */
export function resultFrame(call: number, value: string | undefined, hasBytes = false): string {
  const fields = `${value === undefined ? "" : `,"value":${value}`}${hasBytes ? ',"bytes":true' : ""}`;
  return `{"result":${call}${fields}}`;
}

/** With a `code` it is one of EmDash's route errors. */
export function refusalFrame(call: number, message: string, code?: string): string {
  const error = code === undefined ? message : { code, message, status: ROUTE_ERROR_STATUS };
  return `{"result":${call},"error":${JSON.stringify(error)}}`;
}

/** Frame `number` has been left with the guest. */
export function storedFrame(number: number): string {
  return `{"stored":${number}}`;
}

const ROUTE_ERROR_STATUS = 503;
