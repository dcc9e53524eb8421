// The main module of every plugin's worker. It evaluates before the plugin, which it imports when the host opens the
// channel, and serves the host's requests on the private socket: `/channel` becomes the WebSocket, `/frames/<n>` brings
// frames too large for it, `/bytes/<n>` a call's bytes; `/uploads/<n>` are those that a call of the plugin's brings.
//
// The plugin can import this module too. Nothing that it exports holds a session, so all that it could do with it is
// to talk to itself.

import { openChannel } from "channel.js";
import { handover } from "handover.js";
import {
  bufferOf,
  byteLength,
  closeWriter,
  Error,
  FixedLengthStream,
  getWriter,
  keys,
  mapDelete,
  mapGet,
  mapSet,
  Map,
  Response,
  readableOf,
  requestBytes,
  requestMethod,
  requestText,
  requestUrl,
  slice,
  startsWith,
  String,
  transfer,
  URL,
  urlPathname,
  writableOf,
  writeTo,
} from "intrinsics.js";

/** By path: large frames and bytes that the host has left, until the channel says to take one; files, until the host has them. */
const left = new Map();

export default {
  async fetch(request, env) {
    const path = urlPathname(new URL(requestUrl(request)));
    // Only now: the host has bounded the process's memory between workerd's start and this request.
    if (path === "/channel") return openChannel(await loadPlugin(), env, left);
    if (requestMethod(request) === "GET") return upload(path);
    if (startsWith(path, "/frames/")) mapSet(left, path, await requestText(request));
    else if (startsWith(path, "/bytes/")) mapSet(left, path, await requestBytes(request));
    else return new Response(null, { status: 404 });
    return new Response(null, { status: 204 });
  },
};

/** The bytes that a call brings, once. */
function upload(path) {
  const bytes = startsWith(path, "/uploads/") ? mapGet(left, path) : undefined;
  if (bytes === undefined) return new Response(null, { status: 404 });
  mapDelete(left, path);
  const stream = new FixedLengthStream(byteLength(bytes));
  void send(bytes, getWriter(writableOf(stream)));
  return new Response(readableOf(stream));
}

/**
 * A `Response` that is made of bytes copies them, and neither its copy nor these would go before the next collection, which
 * does not know how large they are. A stream sends these, and then they go.
 */
async function send(bytes, writer) {
  try {
    if (byteLength(bytes) > 0) await writeTo(writer, bytes);
    await closeWriter(writer);
  } catch {
    // The host does not want them any more.
  } finally {
    transfer(bufferOf(bytes), 0);
  }
}

/** Where the plugin's own `fetch()`, `WebSocket` and the like end: workerd routes all of them here. */
export const Wall = {
  fetch() {
    throw new Error("a plugin has no network of its own: use ctx.http.fetch, and declare network:request");
  },
};

/** The plugin's hooks and routes with their own names, or in `broken` why there are none. */
async function loadPlugin() {
  try {
    const definition = await evaluate();
    if (definition === null || typeof definition !== "object") {
      return { broken: "it has no default export with hooks and routes" };
    }
    // No destructuring of lists here: it would go through the plugin's own Array.prototype.
    const hooks = section(definition, "hooks");
    const routes = section(definition, "routes");
    const names = { hooks: keys(hooks), routes: keys(routes) };
    if (tooMany(names.hooks) || tooMany(names.routes)) {
      return {
        broken: `it has more than ${MAX_NAMES} hooks or routes, or names of more than ${MAX_NAME_LENGTH}`,
      };
    }
    return { hooks, routes, names };
  } catch (error) {
    return { broken: `it threw at its start: ${slice(describe(error), 0, MAX_REASON_LENGTH)}` };
  }
}

/** The plugin's default export. */
async function evaluate() {
  try {
    await import("loader.js");
  } catch (error) {
    // Within a request the promise of an `import()` settles through whatever the plugin has made of promises by then.
    if (!handover.isDone) throw error;
  }
  return handover.definition;
}

/** As the host has it; EmDash knows 24 hooks. */
const MAX_NAMES = 1000;

/** Of one hook's or route's name. */
const MAX_NAME_LENGTH = 256;

/** The host cuts a reason there. */
const MAX_REASON_LENGTH = 8192;

function tooMany(names) {
  if (names.length > MAX_NAMES) return true;
  for (let at = 0; at < names.length; at += 1) if (names[at].length > MAX_NAME_LENGTH) return true;
  return false;
}

/** A bundler may have wrapped the default export in another. */
function section(definition, name) {
  const entries = definition[name] ?? definition.default?.[name];
  return entries !== null && typeof entries === "object" ? entries : {};
}

/** The stack, since it names the plugin's line; a thrown value of any kind, also one that throws when looked at. */
function describe(error) {
  try {
    const stack = error?.stack;
    return typeof stack === "string" && stack !== "" ? stack : String(error);
  } catch {
    return "a value that can't be shown";
  }
}
