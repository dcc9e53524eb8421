/** The operations of the bridge, loaded when the first plugin is: importing the package must cost next to nothing. */
import type { Operation } from "./bridge/index.js";

type Operations = ReadonlyMap<string, Operation>;

export function loadOperations(): Promise<Operations> {
  loading ??= import("./bridge/index.js").then(({ operations }) => {
    loaded = operations;
    return operations;
  });
  return loading;
}

/** Once they are there: a call need not wait for a promise then. */
export function loadedOperations(): Operations | undefined {
  return loaded;
}

let loading: Promise<Operations> | undefined;
let loaded: Operations | undefined;
