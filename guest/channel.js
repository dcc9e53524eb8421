// The guest's end of the channel: reads the host's frames, runs hooks and routes, and carries `ctx` calls.

import { AsyncLocalStorage } from "node:async_hooks";
import { createContext } from "context.js";
import {
  acceptSocket,
  addEventListener,
  Error,
  hasOwn,
  keys,
  Map,
  mapDelete,
  mapGet,
  mapSet,
  Promise,
  parseJson,
  Response,
  responseOk,
  responseText,
  sendToSocket,
  String,
  stringifyJson,
  TypeError,
  WebSocketPair,
} from "intrinsics.js";

/** Longer frames go over HTTP, so that one of them holds up no small one. In UTF-16 units: at most three bytes each. */
const MAX_FRAME_LENGTH = 1024 * 1024;

const { bind, call } = Function.prototype;
const uncurryThis = bind.bind(call);
const run = uncurryThis(AsyncLocalStorage.prototype.run);
const getStore = uncurryThis(AsyncLocalStorage.prototype.getStore);

/** Serves one WebSocket; all state of a session is in this closure. */
export function openChannel(plugin, { PLUGIN: binding, BACKING: backing }, frames) {
  const pair = new WebSocketPair();
  const socket = pair[1];
  acceptSocket(socket);

  const invocations = new AsyncLocalStorage();
  const pending = new Map();
  let lastCall = 0;

  const context = () => createContext(binding, callHost, tellHost);

  // `data` is the event's own property in workerd: no prototype of the plugin's stands in between.
  addEventListener(socket, "message", (event) => receive(parseJson(event.data)));
  send(
    hasOwn(plugin, "broken")
      ? { broken: plugin.broken }
      : { ready: { hooks: keys(plugin.hooks), routes: keys(plugin.routes) } },
  );
  return new Response(null, { status: 101, webSocket: pair[0] });

  function receive(frame) {
    if (hasOwn(frame, "invoke")) run(invocations, frame.invoke, invoke, frame);
    else if (hasOwn(frame, "result")) settle(frame);
    else if (hasOwn(frame, "stored")) receive(takeStored(frame.stored));
  }

  async function invoke(frame) {
    let answer;
    try {
      const value = hasOwn(frame, "hook")
        ? await runHook(frame.hook, frame.payload)
        : await runRoute(frame.route, frame.payload);
      // Turned into text here, where a cycle or a BigInt is still the handler's error.
      answer = stringifyJson({ answer: frame.invoke, value });
    } catch (error) {
      answer = stringifyJson({
        answer: frame.invoke,
        error: describe(error, hasOwn(frame, "hook") ? "Hook" : "Route"),
      });
    }
    sendText(answer, (reason) => send({ answer: frame.invoke, error: { message: reason } }));
  }

  function runHook(name, { event }) {
    const entry = hasOwn(plugin.hooks, name) ? plugin.hooks[name] : undefined;
    if (!entry) return undefined;
    return handlerOf(entry, "Hook", name)(event, context());
  }

  function runRoute(name, { input, request }) {
    const entry = hasOwn(plugin.routes, name) ? plugin.routes[name] : undefined;
    if (!entry) throw new Error(`Route not found: ${name}`);
    const details = { input, request, requestMeta: request?.meta, user: request?.user };
    return handlerOf(entry, "Route", name)(details, context());
  }

  /** A `ctx` call: resolves to the host's answer. */
  function callHost(method, body) {
    return new Promise((resolve, reject) => {
      const invocation = getStore(invocations);
      if (invocation === undefined) throw refusal(method, "ctx was used outside of a hook or route");
      const call = ++lastCall;
      const text = stringifyJson({ call, invocation, method, body });
      mapSet(pending, call, { method, resolve, reject });
      sendText(text, (reason) => settle({ result: call, error: reason }));
    });
  }

  /** A `ctx` call whose answer nobody needs: call 0 is never answered. */
  function tellHost(method, body) {
    send({ call: 0, invocation: getStore(invocations) ?? 0, method, body });
  }

  function settle(frame) {
    const waiting = mapGet(pending, frame.result);
    if (waiting === undefined) return;
    mapDelete(pending, frame.result);
    if (hasOwn(frame, "error")) waiting.reject(refusal(waiting.method, frame.error));
    else waiting.resolve(frame.value);
  }

  function send(frame) {
    sendText(stringifyJson(frame));
  }

  /** `refused` is told why when the host does not take a frame that is too large for the socket. */
  function sendText(text, refused = () => {}) {
    if (text.length <= MAX_FRAME_LENGTH) sendToSocket(socket, text);
    else void sendLarge(text, refused);
  }

  async function sendLarge(text, refused) {
    try {
      const response = await backing.fetch("http://backing/frames", { method: "POST", body: text });
      if (!responseOk(response)) refused(await responseText(response));
    } catch {
      refused("the host could not be reached");
    }
  }

  function takeStored(number) {
    const text = mapGet(frames, String(number));
    mapDelete(frames, String(number));
    return parseJson(text);
  }
}

function handlerOf(entry, kind, name) {
  const handler = typeof entry === "function" ? entry : entry.handler;
  if (typeof handler !== "function") throw new TypeError(`${kind} ${name} handler is not a function`);
  return handler;
}

/** The error that a plugin sees; its text is part of the interface. */
function refusal(method, error) {
  const thrown = new Error(`Bridge call ${method} failed: ${stringifyJson({ error })}`);
  // A route that lets such an error through answers with the host's own code and status.
  if (typeof error === "object") thrown.code = error.code;
  return thrown;
}

/** What a handler threw, as data: any value can be thrown, also one that throws when looked at. */
function describe(error, kind) {
  try {
    const { message, name, code } = error ?? {};
    return {
      message: typeof message === "string" && message !== "" ? message : thrownText(error, kind),
      name: typeof name === "string" ? name : undefined,
      code: typeof code === "string" ? code : undefined,
    };
  } catch {
    return { message: `${kind} error` };
  }
}

function thrownText(error, kind) {
  return typeof error === "string" && error !== "" ? error : `${kind} error`;
}
