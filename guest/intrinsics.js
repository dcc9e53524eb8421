// The built-ins that the guest uses, kept before the plugin's code runs. A plugin may patch any of them for itself; what
// passes between guest and host must not go through its patch. Functions that need a `this` take it first.

import { AsyncLocalStorage } from "node:async_hooks";
import { ServiceStub } from "cloudflare:workers";

export { AsyncLocalStorage };

const { bind, call } = Function.prototype;
const uncurryThis = bind.bind(call);
const getter = (prototype, name) => uncurryThis(accessor(prototype, name).get);
/** A class may have it from its parent, as workerd's `Response` has its `body`. */
const accessor = (prototype, name) =>
  Object.getOwnPropertyDescriptor(prototype, name) ?? accessor(Object.getPrototypeOf(prototype), name);

export const { parse: parseJson, stringify: stringifyJson } = JSON;
export const { defineProperty, hasOwn, keys } = Object;
export const {
  Blob,
  Error,
  encodeURIComponent,
  FixedLengthStream,
  FormData,
  Headers,
  Map,
  Promise,
  Proxy,
  ReadableStream,
  Request,
  Response,
  String,
  TextEncoder,
  TypeError,
  Uint8Array,
  URL,
  URLSearchParams,
  WebSocketPair,
} = globalThis;

export const { ArrayBuffer } = globalThis;
export const { isView } = ArrayBuffer;

export const indexOf = uncurryThis(String.prototype.indexOf);
export const startsWith = uncurryThis(String.prototype.startsWith);
export const slice = uncurryThis(String.prototype.slice);
export const then = uncurryThis(Promise.prototype.then);

export const mapGet = uncurryThis(Map.prototype.get);
export const mapSet = uncurryThis(Map.prototype.set);
export const mapDelete = uncurryThis(Map.prototype.delete);

export const runWithStore = uncurryThis(AsyncLocalStorage.prototype.run);
export const getStore = uncurryThis(AsyncLocalStorage.prototype.getStore);

export const addEventListener = uncurryThis(EventTarget.prototype.addEventListener);
export const acceptSocket = uncurryThis(WebSocket.prototype.accept);
export const sendToSocket = uncurryThis(WebSocket.prototype.send);

export const abortSignalAborted = getter(AbortSignal.prototype, "aborted");

export const getHeader = uncurryThis(Headers.prototype.get);
export const headersAppend = uncurryThis(Headers.prototype.append);
export const headersForEach = uncurryThis(Headers.prototype.forEach);

export const getReader = uncurryThis(ReadableStream.prototype.getReader);
export const read = uncurryThis(ReadableStreamBYOBReader.prototype.read);
export const cancelReader = uncurryThis(ReadableStreamBYOBReader.prototype.cancel);
export const enqueueChunk = uncurryThis(ReadableByteStreamController.prototype.enqueue);
export const closeController = uncurryThis(ReadableByteStreamController.prototype.close);
export const failController = uncurryThis(ReadableByteStreamController.prototype.error);
export const byobRequest = getter(ReadableByteStreamController.prototype, "byobRequest");
export const getWriter = uncurryThis(WritableStream.prototype.getWriter);
export const writeTo = uncurryThis(WritableStreamDefaultWriter.prototype.write);
export const closeWriter = uncurryThis(WritableStreamDefaultWriter.prototype.close);
export const readableOf = getter(TransformStream.prototype, "readable");
export const writableOf = getter(TransformStream.prototype, "writable");
export const respondToByob = uncurryThis(ReadableStreamBYOBRequest.prototype.respond);

/** `fetch` of a service binding. */
export const fetchFrom = uncurryThis(ServiceStub.prototype.fetch);

export const encodeText = uncurryThis(TextEncoder.prototype.encode);
export const byteLength = getter(Object.getPrototypeOf(Uint8Array.prototype), "byteLength");
export const bufferOf = getter(Object.getPrototypeOf(Uint8Array.prototype), "buffer");
/** Of an `ArrayBuffer`; 0 for one that was given away. */
export const bufferLength = getter(ArrayBuffer.prototype, "byteLength");
export const transfer = uncurryThis(ArrayBuffer.prototype.transfer);

export const requestMethod = getter(Request.prototype, "method");
export const requestUrl = getter(Request.prototype, "url");
export const requestBytes = uncurryThis(Request.prototype.arrayBuffer);
export const requestText = uncurryThis(Request.prototype.text);
export const requestBody = getter(Request.prototype, "body");
export const requestHeaders = getter(Request.prototype, "headers");
export const requestRedirect = getter(Request.prototype, "redirect");
export const requestSignal = getter(Request.prototype, "signal");
export const responseBody = getter(Response.prototype, "body");
export const responseHeaders = getter(Response.prototype, "headers");
export const cloneResponse = uncurryThis(Response.prototype.clone);
export const responseOk = getter(Response.prototype, "ok");
export const responseText = uncurryThis(Response.prototype.text);
export const urlPathname = getter(URL.prototype, "pathname");

/** V8's collector of garbage, where the host has V8 show it. */
export const collectGarbage = globalThis.gc;
// It can't be deleted. Not for safety, since a plugin that asked for it would only spend its own time: nobody's code
// should come to depend on it.
if (collectGarbage) globalThis.gc = undefined;
