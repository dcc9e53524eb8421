// Stands where a built site's server stands (`dist/server/entry.mjs`): it loads two plugins and lets itself be asked over
// HTTP, so that all that systemd and the kernel put around a site is around these.
import { createServer } from "node:http";
import { createSandboxRunner } from "emdash-sandbox-native/sandbox";

const REQUEST = { url: "https://site.example/", method: "POST", headers: {}, meta: {} };

/** 1 MB at a time, as much as is asked for, and kept. */
const CODE = `const kept = [];
export default { routes: {
  ping: () => "pong",
  spin: () => { for (;;); },
  texts: () => { const all = []; for (let n = 0; ; n += 1) all.push(JSON.stringify("x".repeat(1000000) + n)); },
  keep: ({ input }) => {
    for (let n = 0; n < input; n += 1) kept.push(new Uint8Array(1024 * 1024).fill(1));
    return kept.length;
  },
} };`;

const runner = createSandboxRunner({
  db: {},
  siteInfo: { name: "Machine", url: "https://site.example", locale: "en" },
});
const plugins = new Map();
if (runner.isAvailable()) {
  for (const id of ["one", "two"]) {
    plugins.set(id, await runner.load({ id, version: "1.0.0", capabilities: [] }, CODE));
    await plugins.get(id).invokeRoute("ping", {}, REQUEST);
  }
}

/** `/status`, `/<plugin>/<route>?<input as JSON>`. */
async function answer(url) {
  const { pathname, search } = new URL(url, "http://site.example");
  if (pathname === "/status") return runner.status();
  const [, id, route] = pathname.split("/");
  const input = search === "" ? {} : JSON.parse(decodeURIComponent(search.slice(1)));
  try {
    return { answer: await plugins.get(id).invokeRoute(route, input, REQUEST) };
  } catch ({ name, message }) {
    return { error: `${name}: ${message}` };
  }
}

createServer(async (request, response) => response.end(JSON.stringify(await answer(request.url)))).listen(
  Number(process.env.PORT),
  process.env.HOST,
);
