// An npm registry on this machine's loopback: it keeps what is published to it, and sends npm on to its own registry for
// everything else. So a release can be published, and installed by its name, before there is one.
import { createServer } from "node:http";
import { npmCommand } from "./ensure.mjs";
import { run } from "./run.mjs";

/**
 * @typedef {object} Registry
 * @property {string} url
 * @property {Record<string, string>} env what makes npm use it
 * @property {string} login a line for an .npmrc, since npm publishes to nobody that it does not know
 * @property {() => string[]} published `name@version`, in the order in which they came
 * @property {() => Promise<void>} close
 */

/** @returns {Promise<Registry>} */
export async function startRegistry() {
  const upstream = await ownRegistry();
  /** @type {Map<string, any>} */
  const packages = new Map();
  /** @type {Map<string, Buffer>} */
  const tarballs = new Map();
  /** @type {string[]} */
  const published = [];

  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://registry").pathname).slice(1);
    if (request.method === "PUT") {
      const document = JSON.parse((await read(request)).toString());
      for (const [name, { data }] of Object.entries(document._attachments)) {
        tarballs.set(name, Buffer.from(data, "base64"));
      }
      const versions = { ...packages.get(path)?.versions, ...document.versions };
      packages.set(path, { name: path, "dist-tags": document["dist-tags"], versions });
      published.push(...Object.keys(document.versions).map((version) => `${path}@${version}`));
      response.writeHead(201, { "content-type": "application/json" }).end("{}");
      return;
    }
    const tarball = tarballs.get(path.split("/-/")[1] ?? "");
    const found = packages.get(path);
    if (tarball) response.end(tarball);
    else if (found)
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(found));
    // Ours must come from here or from nowhere.
    else if (path.startsWith("emdash-sandbox-native")) response.writeHead(404).end("{}");
    else response.writeHead(307, { location: new URL(request.url ?? "/", upstream).href }).end();
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
  const address = server.address();
  const host = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return {
    url: `http://${host}/`,
    env: { npm_config_registry: `http://${host}/` },
    login: `//${host}/:_authToken=none\n`,
    published: () => published,
    async close() {
      const closed = new Promise((end) => server.close(() => end(undefined)));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The one that npm uses here. */
async function ownRegistry() {
  const [program, ...first] = npmCommand();
  const { code, text } = await run(program, [...first, "config", "get", "registry"], "capture");
  if (code !== 0) throw new Error("npm does not say which registry it uses");
  return text.trim();
}

/** @param {AsyncIterable<Buffer>} stream */
async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
