// The main module of every plugin's worker. It evaluates before the plugin, which it imports, and serves the host's
// requests on the private socket: `/channel` becomes the WebSocket, `/frames/<n>` brings frames too large for it.
//
// The plugin can import this module too. Nothing that it exports holds a session, so all that it could do with it is
// to talk to itself.

import { openChannel } from "channel.js";
import {
  Error,
  mapSet,
  Map,
  Response,
  requestMethod,
  requestText,
  requestUrl,
  slice,
  startsWith,
  String,
  URL,
  urlPathname,
} from "intrinsics.js";

const plugin = await loadPlugin();

/** Frames that the host has left here, by number, until the channel says to take one. */
const frames = new Map();

export default {
  async fetch(request, env) {
    const path = urlPathname(new URL(requestUrl(request)));
    if (path === "/channel") return openChannel(plugin, env, frames);
    if (!startsWith(path, "/frames/") || requestMethod(request) !== "POST")
      return new Response(null, { status: 404 });
    mapSet(frames, slice(path, "/frames/".length), await requestText(request));
    return new Response(null, { status: 204 });
  },
};

/** Where the plugin's own `fetch()`, `WebSocket` and the like end: workerd routes all of them here. */
export const Wall = {
  fetch() {
    throw new Error("a plugin has no network of its own: use ctx.http.fetch, and declare network:request");
  },
};

/** The plugin's hooks and routes, or in `broken` what it threw at its start. */
async function loadPlugin() {
  try {
    const { default: definition } = await import("plugin.js");
    if (definition === null || typeof definition !== "object") {
      return { broken: "it has no default export with hooks and routes" };
    }
    return { hooks: section(definition, "hooks"), routes: section(definition, "routes") };
  } catch (error) {
    return { broken: `it threw at its start: ${describe(error)}` };
  }
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
