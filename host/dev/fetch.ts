/** `ctx.http.fetch` in development: by the addon's way out, with bodies in one piece where production streams them. */
import type { Request, Response } from "miniflare";
import type * as Addon from "../../index.js";

/** As in `src/backing/fetch.rs`: percent-encoded JSON in a request, ASCII JSON in an answer. */
const META = "x-emdash-fetch";

const OVER = "the hook or route that made this call is over";

export interface Fetcher {
  egress: Addon.NativeEgress;
  description: Addon.NativeDescription;
  /** What an invocation has left of its time, in milliseconds; null when it may do nothing more. */
  timeLeft(invocation: number): number | null;
}

/** Answers what the guest POSTs to `/fetch`. A refusal is an answer without the header, in words. */
export async function performFetch(
  request: Request,
  { egress, description, timeLeft }: Fetcher,
  Answer: typeof Response,
): Promise<Response> {
  const refused = (reason: string) => new Answer(reason, { status: 403 });
  const { invocation, url, method, redirect, headers, body } = askedBy(request);
  const left = timeLeft(invocation);
  if (left === null) return refused(OVER);

  const init: Record<string, unknown> = { method, redirect, headers };
  if (body !== "none") {
    const type = request.headers.get("content-type");
    // What the guest's own `fetch` made of the body, unless the plugin has said another.
    if (type !== null && !headers.some(([name]) => name === "content-type")) {
      init.headers = [...headers, ["content-type", type]];
    }
    init.bodyType = "base64";
    init.body = Buffer.from(await request.arrayBuffer()).toString("base64");
  }
  const { id, capabilities, allowedHosts } = description;
  const call = JSON.stringify({ url, init });
  const { error, answer } = await egress.fetch(id, capabilities, allowedHosts, call, left);
  if (answer === null) return refused(error ?? "The call was refused");

  const { body: bytes, ...told } = answer;
  const hasBody = !BODILESS.has(answer.status) && method?.toUpperCase() !== "HEAD";
  const meta = ascii(JSON.stringify({ ...told, body: hasBody }));
  return new Answer(hasBody ? bytes : null, { headers: { [META]: meta } });
}

/** Statuses whose answers have no body (Fetch standard, "null body status"). */
const BODILESS = new Set([101, 103, 204, 205, 304]);

type Asked = {
  invocation: number;
  url: unknown;
  method: string | null;
  redirect: unknown;
  headers: [string, string][];
  body: "none" | "whole" | "stream";
};

/** The guest's own code wrote it. */
function askedBy(request: Request): Asked {
  return JSON.parse(decodeURIComponent(request.headers.get(META) ?? ""));
}

/** JSON whose every character can stand in a header. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
