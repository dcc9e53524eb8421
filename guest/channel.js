// The guest's end of the channel: reads the host's frames, runs hooks and routes, and carries `ctx` calls.

import { contexts } from "context.js";
import { createFetch } from "fetch.js";
import { createCollector } from "garbage.js";
import {
  acceptSocket,
  addEventListener,
  AsyncLocalStorage,
  byteLength,
  defineProperty,
  encodeText,
  Error,
  fetchFrom,
  getStore,
  hasOwn,
  indexOf,
  Map,
  mapDelete,
  mapGet,
  mapSet,
  Promise,
  parseJson,
  Response,
  responseOk,
  responseText,
  runWithStore,
  sendToSocket,
  slice,
  stringifyJson,
  TextEncoder,
  TypeError,
  Uint8Array,
  WebSocketPair,
} from "intrinsics.js";
import { refusal } from "refusal.js";

/** Longer frames go over HTTP, so that one of them holds up no small one. In UTF-16 units: at most three bytes each. */
const MAX_FRAME_LENGTH = 1024 * 1024;

/** The host refuses longer ones. Told before they are sent: what is cut off while it is sent gets no answer. */
const MAX_LARGE_FRAME_BYTES = 64 * 1024 * 1024;

/** Serves one WebSocket; all state of a session is in this closure. */
export function openChannel(plugin, { PLUGIN: binding, BACKING: backing }, left) {
  const pair = new WebSocketPair();
  const socket = pair[1];
  acceptSocket(socket);

  const encoder = new TextEncoder();
  const invocations = new AsyncLocalStorage();
  const pending = new Map();
  let lastCall = 0;
  let lastUpload = 0;
  /** The large frames that are on their way. */
  let large;

  const garbage = createCollector(binding.limits);
  const fetchOut = createFetch(backing, () => getStore(invocations), garbage.held);
  const context = contexts(binding, callHost, tellHost, callWithBytes, fetchOut);

  // `data` is the event's own property in workerd: no prototype of the plugin's stands in between.
  addEventListener(socket, "message", (event) => receive(parseJson(event.data)));
  sendText(greeting(plugin));
  const response = new Response(null, { __proto__: null, status: 101, webSocket: pair[0] });
  // Whoever awaits it asks for a `then`, which a plugin may have given to all objects; it would get at the socket.
  return defineProperty(response, "then", { __proto__: null, value: undefined });

  function receive(frame) {
    garbage.frame();
    if (hasOwn(frame, "invoke")) runWithStore(invocations, frame.invoke, invoke, frame);
    else if (hasOwn(frame, "result")) settle(frame.result, valueOf(frame), own(frame, "error"));
    else if (hasOwn(frame, "stored")) receive(parseJson(take(`/frames/${frame.stored}`)));
  }

  async function invoke(frame) {
    const kind = hasOwn(frame, "hook") ? "Hook" : "Route";
    const answer = `{"answer":${frame.invoke}`;
    const failed = (error) => `${answer},"error":${describe(error, kind)}}`;
    let text;
    try {
      const value =
        kind === "Hook"
          ? await runHook(frame.hook, frame.payload)
          : await runRoute(frame.route, frame.payload);
      // Made text here, where a cycle or a BigInt is still the handler's error.
      const json = stringifyJson(value);
      text = json === undefined ? `${answer}}` : `${answer},"value":${json}}`;
    } catch (error) {
      text = failed(error);
    }
    // What the handler has sent on its way must arrive first: an answered plugin may be unloaded at any moment.
    if (large !== undefined) await large;
    sendText(text, (reason) => sendText(failed(reason)));
  }

  function runHook(name, payload) {
    const entry = own(plugin.hooks, name);
    if (!entry) return undefined;
    return handlerOf(entry, "Hook", name)(own(payload, "event"), context());
  }

  function runRoute(name, payload) {
    const entry = own(plugin.routes, name);
    if (!entry) throw new Error(`Route not found: ${name}`);
    const request = own(payload, "request");
    const details = {
      input: own(payload, "input"),
      request,
      requestMeta: request?.meta,
      user: request?.user,
    };
    return handlerOf(entry, "Route", name)(details, context());
  }

  /** A `ctx` call: resolves to the host's answer. */
  function callHost(method, body) {
    return new Promise((resolve, reject) => {
      const invocation = getStore(invocations);
      if (invocation === undefined) throw refusal(method, "ctx was used outside of a hook or route");
      const json = stringifyJson(body);
      const call = ++lastCall;
      mapSet(pending, call, { __proto__: null, method, resolve, reject });
      sendText(callText(call, invocation, method, json), (reason) => settle(call, undefined, reason));
    });
  }

  /** A `ctx` call that brings bytes, as they are when it is made. They are kept for the host until it has answered. */
  async function callWithBytes(method, body, bytes) {
    const { uploadBytes } = binding.limits;
    if (byteLength(bytes) > uploadBytes) {
      throw refusal(method, `A file may have at most ${uploadBytes / 1024 / 1024} MiB`);
    }
    // The plugin's own, and the copy.
    garbage.held(2 * byteLength(bytes));
    const number = ++lastUpload;
    const path = `/uploads/${number}`;
    mapSet(left, path, new Uint8Array(bytes));
    try {
      return await callHost(method, { ...body, bytes: number });
    } finally {
      mapDelete(left, path);
    }
  }

  function valueOf(frame) {
    const value = own(frame, "value");
    if (own(frame, "bytes") === true) {
      const bytes = new Uint8Array(take(`/bytes/${frame.result}`));
      garbage.held(byteLength(bytes));
      defineProperty(value, "bytes", {
        __proto__: null,
        value: bytes,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return value;
  }

  /** A `ctx` call whose answer nobody needs: call 0 is never answered. */
  function tellHost(method, body) {
    sendText(callText(0, getStore(invocations) ?? 0, method, stringifyJson(body)));
  }

  function settle(call, value, error) {
    const waiting = mapGet(pending, call);
    if (waiting === undefined) return;
    mapDelete(pending, call);
    if (error !== undefined) waiting.reject(refusal(waiting.method, error));
    else waiting.resolve(value);
  }

  /** `refused` is told why when the host does not take a frame that is too large for the socket. */
  function sendText(text, refused = () => {}) {
    if (text.length <= MAX_FRAME_LENGTH) sendToSocket(socket, text);
    else large = sendLarge(large, encodeText(encoder, text), refused);
  }

  async function sendLarge(before, bytes, refused) {
    if (byteLength(bytes) > MAX_LARGE_FRAME_BYTES) return refused("an answer or call is limited to 64 MiB");
    garbage.held(byteLength(bytes));
    try {
      await before;
      const init = { __proto__: null, method: "POST", body: bytes };
      const response = await fetchFrom(backing, "http://backing/frames", init);
      if (!responseOk(response)) refused(await responseText(response));
    } catch {
      refused("the host could not be reached");
    }
  }

  function take(path) {
    const body = mapGet(left, path);
    mapDelete(left, path);
    return body;
  }
}

// Frames are put together as text. JSON.stringify would ask each object for a `toJSON`, which a plugin can give to all.

function greeting(plugin) {
  if (hasOwn(plugin, "broken")) return `{"broken":${stringifyJson(plugin.broken)}}`;
  return `{"ready":{"hooks":${namesText(plugin.names.hooks)},"routes":${namesText(plugin.names.routes)}}}`;
}

function namesText(names) {
  let text = "";
  for (let at = 0; at < names.length; at += 1) text += `${at === 0 ? "" : ","}${stringifyJson(names[at])}`;
  return `[${text}]`;
}

function callText(call, invocation, method, body) {
  return `{"call":${call},"invocation":${invocation},"method":${stringifyJson(method)},"body":${body}}`;
}

/** What an object has itself: not what a plugin may have given to all objects. */
function own(object, name) {
  return hasOwn(object, name) ? object[name] : undefined;
}

function handlerOf(entry, kind, name) {
  const handler = typeof entry === "function" ? entry : entry.handler;
  if (typeof handler !== "function") throw new TypeError(`${kind} ${name} handler is not a function`);
  return handler;
}

/** Where an error was made. Not the words before it, which are the message again and may be long. */
function stackField(stack) {
  const start = typeof stack === "string" ? indexOf(stack, "\n    at ") : -1;
  return start < 0 ? "" : `,"stack":${stringifyJson(slice(stack, start, start + MAX_STACK_LENGTH))}`;
}

/** V8 keeps ten lines. */
const MAX_STACK_LENGTH = 4096;

/** What a handler threw, as JSON text: any value can be thrown, also one that throws when looked at. */
function describe(error, kind) {
  let message = typeof error === "string" ? error : "";
  let fields = "";
  try {
    if (typeof error !== "string" && typeof error?.message === "string") message = error.message;
    if (typeof error?.name === "string") fields += `,"name":${stringifyJson(error.name)}`;
    if (typeof error?.code === "string") fields += `,"code":${stringifyJson(error.code)}`;
    fields += stackField(error?.stack);
  } catch {
    // What could be read must do.
  }
  return `{"message":${stringifyJson(message || `${kind} error`)}${fields}}`;
}
