/** In which call of a plugin the host's own code runs: a callback of the site may end the very plugin that waits for it. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { NativeCall } from "../index.js";
import type { Inbox } from "./inbox.js";

/** Methods that reach a callback of the site: mail, the media storage, the check before a write. */
const REACHES_THE_SITE = /^(email\/send|media\/(upload|delete)|content\/(create|update|delete)(Many)?)$/;

const current = new AsyncLocalStorage<{ inbox: Inbox; call: NativeCall }>();

/** Runs an operation so that {@link callWithin} knows of it. */
export function within<T>(inbox: Inbox, call: NativeCall, method: string, run: () => T): T {
  // Not for the others: the first use of such a storage makes every promise of an older Node a little slower.
  return REACHES_THE_SITE.test(method) ? current.run({ inbox, call }, run) : run();
}

/** The call of a plugin of this runner in which the caller runs. */
export function callWithin(inbox: Inbox): NativeCall | null {
  const store = current.getStore();
  return store?.inbox === inbox ? store.call : null;
}
