// `ctx`: what a plugin holds of EmDash. A new one for each invocation, of the same functions: `call` knows which invocation
// it runs in.

import {
  Error,
  Proxy,
  startsWith,
  stringifyJson,
  String,
  TypeError,
  Map,
  then,
  ArrayBuffer,
  isView,
  Uint8Array,
} from "intrinsics.js";

/**
 * `call(method, body)` resolves to the host's answer; `tell(method, body)` expects none; `callWithBytes` sends a file's
 * bytes along; `fetchOut(url, init)` is `fetch`. What comes back makes one `ctx` each time.
 */
export function contexts({ plugin, site, members }, call, tell, callWithBytes, fetchOut) {
  const all = {
    kv: {
      get: (key) => call("kv/get", { key }),
      set: (key, value) => call("kv/set", { key, value }),
      delete: (key) => call("kv/delete", { key }),
      list: (prefix) => call("kv/list", { prefix }),
    },
    content: {
      get: (collection, id) => call("content/get", { collection, id }),
      list: (collection, options) => call("content/list", { ...options, collection }),
      create: (collection, data, options) => call("content/create", { collection, data, options }),
      update: (collection, id, data) => call("content/update", { collection, id, data }),
      delete: (collection, id) => call("content/delete", { collection, id }),
      createMany: (collection, items) => call("content/createMany", { collection, items }),
      updateMany: (collection, items) => call("content/updateMany", { collection, items }),
      deleteMany: (collection, ids) => call("content/deleteMany", { collection, ids }),
    },
    taxonomies: {
      getAll: (options) => call("taxonomy/list", { ...options }),
      getTerms: (taxonomy, options) => call("taxonomy/terms", { ...options, taxonomy }),
      getEntryTerms: (collection, entryId, options) =>
        call("taxonomy/entryTerms", { ...options, collection, entryId }),
    },
    media: {
      get: (id) => call("media/get", { id }),
      list: (options) => call("media/list", { ...options }),
      upload: async (filename, contentType, bytes) =>
        callWithBytes("media/upload", { filename, contentType }, windowOf(bytes)),
      delete: (id) => call("media/delete", { id }),
      readBytes: (id, options) => call("media/readBytes", { ...options, id }),
      getUploadUrl() {
        throw new Error("getUploadUrl is not available in sandbox mode. Use media.upload() instead.");
      },
    },
    http: { fetch: (url, init) => fetchOut(url, init) },
    log: createLog(tell),
    users: members.users
      ? {
          get: (id) => call("users/get", { id }),
          getByEmail: (email) => call("users/getByEmail", { email }),
          list: (options) => call("users/list", { ...options }),
        }
      : undefined,
    email: members.email ? { send: (message) => call("email/send", { message }) } : undefined,
  };
  const collections = collectionsOf(call);
  const url = createUrl(site.url);
  // What one invocation does to its own is not the next one's.
  return () => ({
    plugin: { ...plugin },
    storage: new Proxy({}, collections),
    kv: { ...all.kv },
    content: { ...all.content },
    taxonomies: { ...all.taxonomies },
    media: { ...all.media },
    http: { ...all.http },
    log: { ...all.log },
    site: { ...site },
    url,
    users: all.users && { ...all.users },
    email: all.email && { ...all.email },
  });
}

/** Any name is a collection here; the host knows which ones the manifest declares. */
function collectionsOf(call) {
  return {
    __proto__: null,
    get: (_, collection) => (typeof collection === "string" ? createCollection(collection, call) : undefined),
  };
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

/** The bytes that a view shows, as they are; not the whole of the buffer behind it. */
function windowOf(bytes) {
  if (isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  throw new TypeError("media.upload: bytes must be an ArrayBuffer or a view of one");
}
