// `ctx.http.fetch`: bodies go to the host and come back as raw bytes; what describes them goes in a header.

import {
  ArrayBuffer,
  abortSignalAborted,
  Blob,
  bufferLength,
  byobRequest,
  byteLength,
  cancelReader,
  cloneResponse,
  closeController,
  defineProperty,
  encodeURIComponent,
  enqueueChunk,
  failController,
  FormData,
  fetchFrom,
  getHeader,
  getReader,
  Headers,
  headersAppend,
  headersForEach,
  isView,
  parseJson,
  ReadableStream,
  Request,
  Response,
  read,
  requestBody,
  requestHeaders,
  requestMethod,
  requestRedirect,
  requestSignal,
  requestUrl,
  respondToByob,
  responseBody,
  responseHeaders,
  responseOk,
  responseText,
  String,
  stringifyJson,
  Uint8Array,
  URLSearchParams,
} from "intrinsics.js";
import { refusal } from "refusal.js";

/** Percent-encoded JSON there, ASCII JSON back. An answer without it is a refusal, in words. */
const META = "x-emdash-fetch";

/** The host's bound on a head is this and the longest token. 64 KiB of each, URL and headers, fit unless most is escaped. */
const MAX_META_LENGTH = 256 * 1024;

/** What a pull takes at once; the host's decoder gives as much. */
const CHUNK_BYTES = 32 * 1024;

const NO_BODY = { kind: "none", sent: null, size: 0 };

/** `invocationOf()` is the number of the invocation that fetches; `held` hears of how many bytes bodies have come and gone. */
export function createFetch(backing, invocationOf, held) {
  let lastFetch = 0;
  return async (input, init) => {
    const invocation = invocationOf();
    if (invocation === undefined) throw refusal("http/fetch", "ctx was used outside of a hook or route");
    const fetch = ++lastFetch;
    const { url, method, redirect, headers, body, signal } = asked(input, init ?? {});
    const { kind, sent, size } = sendable(body);
    // The plugin's own, and what workerd makes of it.
    held(2 * size);
    // An empty method or mode is none, as in EmDash's other runners.
    const meta =
      `{"fetch":${fetch},"invocation":${invocation},"url":${json(url)},"method":${json(method || null)},` +
      `"redirect":${json(redirect || null)},"headers":${pairs(headers)},"body":"${kind}"}`;
    const sentMeta = encodeURIComponent(meta);
    // Past what a request's head may take, the host's answer would have no words.
    if (sentMeta.length > MAX_META_LENGTH) {
      throw refusal("http/fetch", "fetch failed: its URL and headers are too long to be sent");
    }
    let response;
    let told;
    let words;
    try {
      response = await fetchFrom(backing, "http://backing/fetch", {
        __proto__: null,
        method: "POST",
        headers: { __proto__: null, [META]: sentMeta },
        body: sent,
        signal: signal ?? null,
      });
      told = getHeader(responseHeaders(response), META);
      // It may end early, too: the host does not wait for the rest of a body that it refuses.
      if (told === null) words = await responseText(response);
    } catch (error) {
      throw await failure(error, signal, fetch);
    }
    if (told === null) throw refusal("http/fetch", words);
    return answer(parseJson(told), responseBody(response), (error) => failure(error, signal, fetch), held);
  };

  /** The plugin's own abort, or the host's reason: a connection that ended says nothing. */
  async function failure(error, signal, fetch) {
    if (signal && abortSignalAborted(signal)) return error;
    let reason = "fetch failed: the host could not be reached";
    try {
      const response = await fetchFrom(backing, `http://backing/fetch/${fetch}`, { __proto__: null });
      if (responseOk(response)) reason = await responseText(response);
    } catch {
      // Then that is the reason.
    }
    return refusal("http/fetch", reason);
  }
}

/** As `fetch` reads its arguments: what `init` has goes before what a `Request` has. */
function asked(input, init) {
  const { method, redirect, headers, body, signal } = init;
  if (!(input instanceof Request)) return { url: input, method, redirect, headers, body, signal };
  return {
    url: requestUrl(input),
    method: method ?? requestMethod(input),
    redirect: redirect ?? requestRedirect(input),
    headers: headers ?? requestHeaders(input),
    body: body === undefined ? requestBody(input) : body,
    signal: signal ?? requestSignal(input),
  };
}

/** A body as workerd's own `fetch` takes it, what kind it is, and how large, about, where that is known before it is sent. */
function sendable(body) {
  if (body === undefined || body === null) return NO_BODY;
  if (typeof body === "string") return whole(body, body.length);
  if (body instanceof ReadableStream) return { kind: "stream", sent: body, size: 0 };
  if (isView(body)) {
    const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    return whole(bytes, byteLength(bytes));
  }
  if (body instanceof ArrayBuffer) return whole(body, bufferLength(body));
  if (body instanceof Blob || body instanceof FormData || body instanceof URLSearchParams) {
    return whole(body, 0);
  }
  // As EmDash's other runners do it, where the standard would send "[object Object]".
  const text = stringifyJson(body);
  return text === undefined ? NO_BODY : whole(text, text.length);
}

function whole(sent, size) {
  return { kind: "whole", sent, size };
}

function pairs(given) {
  let text = "";
  if (given) {
    let headers;
    try {
      headers = new Headers(given);
    } catch (error) {
      throw refusal("http/fetch", `Invalid header: ${String(error?.message)}`);
    }
    headersForEach(headers, (value, name) => {
      text += `${text === "" ? "" : ","}[${stringifyJson(name)},${stringifyJson(value)}]`;
    });
  }
  return `[${text}]`;
}

function json(value) {
  return stringifyJson(value) ?? "null";
}

/** A real `Response`, with the members that no constructor takes. */
function answer(told, body, explain, held) {
  const headers = new Headers();
  // No iteration: it would go through the plugin's own Array.prototype.
  for (let at = 0; at < told.headers.length; at += 1) {
    headersAppend(headers, told.headers[at][0], told.headers[at][1]);
  }
  const bytes = body === null ? new Uint8Array(0) : explained(body, explain, held);
  const response = new Response(told.body ? bytes : null, {
    __proto__: null,
    status: told.status,
    statusText: told.statusText,
    headers,
  });
  return named(response, told.url, told.redirected);
}

function named(response, url, redirected) {
  const member = (name, value) =>
    defineProperty(response, name, { __proto__: null, value, configurable: true, writable: true });
  member("url", url);
  member("redirected", redirected);
  member("clone", function clone() {
    return named(cloneResponse(this), url, redirected);
  });
  return response;
}

/** The same bytes; when they end early, with the host's reason. */
function explained(body, explain, held) {
  // By default workerd reads 4 KiB at a time.
  const reader = getReader(body, { __proto__: null, mode: "byob" });
  return new ReadableStream(
    {
      __proto__: null,
      type: "bytes",
      autoAllocateChunkSize: CHUNK_BYTES,
      async pull(controller) {
        try {
          const { done, value } = await read(reader, new Uint8Array(CHUNK_BYTES));
          if (!done) {
            // The chunk, and where workerd puts it together.
            held(2 * byteLength(value));
            return enqueueChunk(controller, value);
          }
          closeController(controller);
          const waiting = byobRequest(controller);
          if (waiting) respondToByob(waiting, 0);
        } catch (error) {
          failController(controller, await explain(error));
        }
      },
      cancel: (reason) => cancelReader(reader, reason),
    },
    { __proto__: null, highWaterMark: 0 },
  );
}
