// Where a plugin's process listens on a port, which everybody on the machine can connect to, this worker stands before
// the plugin's: it lets in who shows the host's key, and shows the host its own. The plugin's code is not in its isolate.

const KEY_HEADER = "x-emdash-sandbox-key";
const PROOF_HEADER = "x-emdash-sandbox-proof";

const encoder = new TextEncoder();

export default {
  async fetch(request, env) {
    if (!isKey(request.headers.get(KEY_HEADER), env.KEY)) return new Response(null, { status: 404 });
    const proof = { [PROOF_HEADER]: env.PROOF };
    // The host asks before it sends what only the plugin may read.
    if (new URL(request.url).pathname === "/door") return new Response(null, { status: 204, headers: proof });
    const headers = new Headers(request.headers);
    headers.delete(KEY_HEADER);
    const { status, webSocket, body } = await env.PLUGIN.fetch(new Request(request, { headers }));
    return new Response(body, { status, webSocket, headers: proof });
  },
};

function isKey(shown, key) {
  const [one, other] = [encoder.encode(shown ?? ""), encoder.encode(key)];
  return one.byteLength === other.byteLength && crypto.subtle.timingSafeEqual(one, other);
}
