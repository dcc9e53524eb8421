/** The operations of the bridge, loaded when the first plugin is: importing the package must cost next to nothing. */
import type { Operation } from "./bridge/index.js";

export function loadOperations(): Promise<ReadonlyMap<string, Operation>> {
  loading ??= import("./bridge/index.js").then(({ operations }) => operations);
  return loading;
}

let loading: Promise<ReadonlyMap<string, Operation>> | undefined;
