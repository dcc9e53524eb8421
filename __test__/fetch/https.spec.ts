/** https with a root of our own, in the file that the system's roots are read from. The keys live as long as the tests. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { openPrivateHosts } from "../support/origin.js";
import { inPlugin } from "../support/runner.js";

useConsole();

const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-tls-"));
const at = (name: string) => join(folder, name);
const servers: Server[] = [];

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/** A certificate of this root for 127.0.0.1 and localhost. */
function issue(root: string): { key: Buffer; cert: Buffer } {
  openssl("req", "-x509", ...EC, "-subj", `/CN=${root}`, "-keyout", `${root}.key`, "-out", `${root}.pem`);
  openssl("req", ...EC.slice(0, 5), "-subj", "/CN=leaf", "-keyout", "leaf.key", "-out", "leaf.csr");
  writeFileSync(at("names"), "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost\n");
  const signed = [
    "-CA",
    `${root}.pem`,
    "-CAkey",
    `${root}.key`,
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    "names",
  ];
  openssl("x509", "-req", "-in", "leaf.csr", ...signed, "-out", "leaf.pem");
  return { key: readFileSync(at("leaf.key")), cert: readFileSync(at("leaf.pem")) };
}

async function serve(root: string, address = "127.0.0.1"): Promise<number> {
  const server = createServer(issue(root), (request, response) =>
    response.end(`secret of ${request.headers.host}`),
  );
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

let known: number;
let unknown: number;
let sixth: number;
const before = process.env.SSL_CERT_FILE;
beforeAll(async () => {
  openPrivateHosts();
  known = await serve("known");
  unknown = await serve("unknown");
  sixth = await serve("sixth", "::1");
  writeFileSync(at("roots.pem"), readFileSync(at("known.pem")) + readFileSync(at("sixth.pem"), "utf8"));
  process.env.SSL_CERT_FILE = at("roots.pem");
});
afterAll(async () => {
  if (before === undefined) delete process.env.SSL_CERT_FILE;
  else process.env.SSL_CERT_FILE = before;
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const manifest = { capabilities: ["network:request"], allowedHosts: ["127.0.0.1", "localhost", "[::1]"] };
const fetched = (url: string) =>
  inPlugin("return ctx.http.fetch(input).then((r) => r.text(), (error) => error.message)", {
    manifest,
    input: url,
  });

it.each(["127.0.0.1", "localhost"])(
  "a server at %s with a certificate of a trusted root is talked to",
  async (host) => {
    expect(await fetched(`https://${host}:${known}/`)).toBe(`secret of ${host}:${known}`);
  },
);

it("so is one at an IPv6 address", async () => {
  expect(await fetched(`https://[::1]:${sixth}/`)).toBe(`secret of [::1]:${sixth}`);
});

it("one with a certificate of another root is not, and the plugin hears why", async () => {
  expect(await fetched(`https://127.0.0.1:${unknown}/`)).toMatch(
    /fetch failed: no TLS with 127.0.0.1: .*UnknownIssuer/,
  );
});

it("plain HTTP at its port is an answer that says so, and the other way round too", async () => {
  expect(await fetched(`http://127.0.0.1:${known}/`)).toMatch(/fetch failed: the answer can't be read/);
});
