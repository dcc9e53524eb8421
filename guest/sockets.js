// Stands in for workerd's `cloudflare:sockets`, whose `connect` would fail at the wall without saying why.

export function connect() {
  throw new Error("a plugin has no network of its own: use ctx.http.fetch, and declare network:request");
}
