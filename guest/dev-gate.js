// In development only: stands before the plugin's worker, because miniflare opens it to everybody on this machine, each
// page in the developer's browser included. The plugin's code is not in this worker and never sees the key.

export default {
  fetch(request, env) {
    if (request.headers.get("x-dev-key") !== env.KEY) return new Response(null, { status: 404 });
    const headers = new Headers(request.headers);
    headers.delete("x-dev-key");
    return env.PLUGIN.fetch(new Request(request, { headers }));
  },
};
