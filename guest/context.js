// `ctx`: what a plugin holds of EmDash. A new one for each invocation; `call` knows which invocation it runs in.

import { Error, Proxy, startsWith, stringifyJson, String, TypeError, Map, then } from "intrinsics.js";

/** `call(method, body)` resolves to the host's answer; `tell(method, body)` expects none. */
export function createContext({ plugin, site, members }, call, tell) {
  return {
    plugin: { ...plugin },
    storage: createStorage(call),
    kv: {
      get: (key) => call("kv/get", { key }),
      set: (key, value) => call("kv/set", { key, value }),
      delete: (key) => call("kv/delete", { key }),
      list: (prefix) => call("kv/list", { prefix }),
    },
    content: {
      get: (collection, id) => call("content/get", { collection, id }),
      list: (collection, options) => call("content/list", { ...options, collection }),
      create: notYet("content.create"),
      update: notYet("content.update"),
      delete: notYet("content.delete"),
      createMany: notYet("content.createMany"),
      updateMany: notYet("content.updateMany"),
      deleteMany: notYet("content.deleteMany"),
    },
    taxonomies: {
      getAll: notYet("taxonomies.getAll"),
      getTerms: notYet("taxonomies.getTerms"),
      getEntryTerms: notYet("taxonomies.getEntryTerms"),
    },
    media: {
      get: notYet("media.get"),
      list: notYet("media.list"),
      upload: notYet("media.upload"),
      delete: notYet("media.delete"),
      readBytes: notYet("media.readBytes"),
      getUploadUrl() {
        throw new Error("getUploadUrl is not available in sandbox mode. Use media.upload() instead.");
      },
    },
    http: { fetch: notYet("http.fetch") },
    log: createLog(tell),
    site: { ...site },
    url: createUrl(site.url),
    users: members.users
      ? { get: notYet("users.get"), getByEmail: notYet("users.getByEmail"), list: notYet("users.list") }
      : undefined,
    email: members.email ? { send: notYet("email.send") } : undefined,
  };
}

/** Any name is a collection here; the host knows which ones the manifest declares. */
function createStorage(call) {
  return new Proxy(
    {},
    {
      get: (_, collection) =>
        typeof collection === "string" ? createCollection(collection, call) : undefined,
    },
  );
}

function createCollection(collection, call) {
  return {
    get: (id) => call("storage/get", { collection, id }),
    put: (id, data) => call("storage/put", { collection, id, data }),
    delete: (id) => call("storage/delete", { collection, id }),
    exists: (id) => call("storage/exists", { collection, id }),
    query: (options) => call("storage/query", { ...options, collection }),
    count: (where) => call("storage/count", { collection, where }),
    // Pairs on the wire, so that an id such as `__proto__` is an id.
    getMany: (ids) => then(call("storage/getMany", { collection, ids }), (pairs) => new Map(pairs)),
    putMany: (items) => call("storage/putMany", { collection, items }),
    deleteMany: (ids) => call("storage/deleteMany", { collection, ids }),
  };
}

/** Logging never fails a plugin, whatever it logs. */
function createLog(tell) {
  const write = (level) => async (message, data) => {
    try {
      tell("log", {
        level,
        msg: typeof message === "string" ? message : String(message),
        data: loggable(data),
      });
    } catch {
      // A message that can't even be made a string is not worth an error.
    }
    return null;
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** An error would be `{}` in JSON, and a cycle or a BigInt would throw. */
function loggable(data) {
  if (data instanceof Error) return { name: data.name, message: data.message, stack: data.stack };
  try {
    stringifyJson(data);
    return data;
  } catch {
    return String(data);
  }
}

function createUrl(siteUrl) {
  return (path) => {
    if (typeof path !== "string") throw new TypeError(`URL path must be a string, got: ${typeof path}`);
    if (!startsWith(path, "/")) throw new Error(`URL path must start with "/", got: "${path}"`);
    if (startsWith(path, "//")) throw new Error(`URL path must not be protocol-relative, got: "${path}"`);
    return siteUrl + path;
  };
}

function notYet(member) {
  return async () => {
    throw new Error(`ctx.${member} is not available yet in emdash-sandbox-native`);
  };
}
