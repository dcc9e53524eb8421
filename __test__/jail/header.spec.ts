/**
 * The header by which the backing server knows a plugin, on the real workerd with our own configuration, and with code in
 * the guest's place that holds the binding and sends what it likes: as a plugin would that got hold of it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { findWorkerd } from "../../host/workerd-binary.js";

const HEADER = "x-emdash-sandbox-token";

/** Ways to say another token. */
const FORGER = `
  const ways = {
    "not at all": (b, u) => b.fetch(u, { method: "POST" }),
    "a record": (b, u) => b.fetch(u, { headers: { "${HEADER}": "forged" } }),
    "capitals": (b, u) => b.fetch(u, { headers: { "X-EMDASH-Sandbox-Token": "forged" } }),
    "pairs, twice": (b, u) => b.fetch(u, { headers: [["${HEADER}", "forged"], ["${HEADER}", "again"]] }),
    "appended": (b, u) => { const h = new Headers(); h.append("${HEADER}", "forged"); h.append("${HEADER}", "again"); return b.fetch(u, { headers: h }); },
    "a Request": (b, u) => b.fetch(new Request(u, { headers: { "${HEADER}": "forged" } })),
    "a Request and more": (b, u) => b.fetch(new Request(u, { headers: { "${HEADER}": "forged" } }), { headers: { "${HEADER}": "more" } }),
    "inherited": (b, u) => b.fetch(u, { __proto__: { headers: { "${HEADER}": "forged" } } }),
    "an empty one": (b, u) => b.fetch(u, { headers: { "${HEADER}": "" } }),
    "an upgrade": (b, u) => b.fetch(u, { headers: { "${HEADER}": "forged", upgrade: "websocket" } }),
    "in the address": (b, u) => b.fetch("http://forged:forged@backing/frames?${HEADER}=forged"),
  };
  export default { async fetch(request, env) {
    const sent = [];
    for (const [way, send] of Object.entries(ways)) {
      const address = "http://backing/" + encodeURIComponent(way);
      try { const response = await send(env.BACKING, address); await response.text(); sent.push(way); } catch (error) { sent.push(way + ": " + error.message); }
    }
    return Response.json(sent);
  } };
  export const Wall = { fetch() { throw new Error("no network"); } };`;

it("holds the token that workerd injects, once, whatever the sender says", async () => {
  const folder = mkdtempSync(join(tmpdir(), "emdash-sandbox-header-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const seen: string[][] = [];
  const backing = createServer(({ rawHeaders }, response) => {
    const at = rawHeaders.flatMap((name, at) =>
      at % 2 === 0 && name.toLowerCase() === HEADER ? [at + 1] : [],
    );
    seen.push(at.map((value) => rawHeaders[value] ?? ""));
    response.end();
  });
  onTestFinished(() => void backing.close());
  await once(backing.listen(join(folder, "backing")), "listening");

  // What the addon hands to workerd, as its own test holds it, with another entry module.
  const golden = readFileSync(new URL("../../src/workerd/golden/plain.capnp", import.meta.url), "utf8");
  const module = /\(name = "boot\.js", esModule = "(?:[^"\\]|\\.)*"\)/;
  expect(golden).toMatch(module);
  const forging = golden.replace(module, () => `(name = "boot.js", esModule = ${JSON.stringify(FORGER)})`);
  writeFileSync(join(folder, "config.capnp"), forging);

  const workerd = findWorkerd(process.env);
  if (!workerd.ok) throw new Error(workerd.reason);
  const args = ["serve", `--socket-addr=entry=unix:${folder}/entry`, "--control-fd=3"];
  args.push(`--external-addr=backing=unix:${folder}/backing`, join(folder, "config.capnp"), "config");
  const child = spawn(workerd.binary.path, args, { stdio: ["ignore", "ignore", "inherit", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [listening] = await Promise.race([
    once(child.stdio[3] as NodeJS.ReadableStream, "data"),
    once(child, "exit"),
  ]);
  expect(String(listening)).toContain('"listen"');

  const asked = request({ socketPath: join(folder, "entry"), path: "/" }).end();
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response) text += chunk;
  const sent = JSON.parse(text) as string[];
  expect(seen).toHaveLength(sent.length);
  expect(sent.filter((way) => way.includes(": "))).toEqual([]);
  expect(new Set(seen.map((tokens) => JSON.stringify(tokens)))).toEqual(new Set(['["claims.mac"]']));
});
