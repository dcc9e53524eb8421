/** Heavy work within the whole jail, in which any system call that it does not expect would end the process. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, inPlugin, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";

const site = useDatabase();
const printed = useConsole();

// Crypto and compression take processor time: the limit is not what is tested here.
const limits = { cpuMs: 60_000, memoryMb: 256, subrequests: 10_000 };

it("every kind of crypto works", async () => {
  const body = `const subtle = crypto.subtle, data = new Uint8Array(1 << 20);
    const signers = [
      { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      { name: "RSA-PSS", saltLength: 32, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
      { name: "Ed25519" },
    ];
    const verified = [];
    for (const algorithm of signers) {
      const { privateKey, publicKey } = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
      verified.push(await subtle.verify(algorithm, publicKey, await subtle.sign(algorithm, privateKey, data), data));
    }
    const aes = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await subtle.encrypt({ name: "AES-GCM", iv }, aes, data);
    verified.push((await subtle.decrypt({ name: "AES-GCM", iv }, aes, sealed)).byteLength === data.length);
    const base = await subtle.importKey("raw", new Uint8Array(16), "PBKDF2", false, ["deriveBits"]);
    const derived = await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: iv, iterations: 20000 }, base, 256);
    const node = await import("node:crypto");
    verified.push(derived.byteLength === 32, node.scryptSync("a", "b", 32).length === 32, node.randomBytes(9).length === 9);
    const digests = await Promise.all(Array.from({ length: 50 }, () => subtle.digest("SHA-256", data)));
    verified.push(digests.length === 50);
    return verified.every(Boolean)`;
  expect(await inPlugin(body, { runner: makeRunner({ limits }) })).toBe(true);
});

it("compression, text and files in memory work", async () => {
  const body = `const zlib = await import("node:zlib"), { Buffer } = await import("node:buffer");
    const data = Buffer.alloc(8 << 20, "compress me");
    const streamed = new Response(new Blob([data]).stream().pipeThrough(new CompressionStream("gzip")));
    const rewritten = new HTMLRewriter().on("a", { element: (a) => { a.setAttribute("rel", "x") } }).transform(new Response("<a>1</a>"));
    const fs = await import("node:fs/promises");
    await fs.writeFile("/tmp/large", data);
    return [zlib.gunzipSync(Buffer.from(await streamed.arrayBuffer())).length, zlib.brotliDecompressSync(zlib.brotliCompressSync(data)).length,
      await rewritten.text(), new TextDecoder("shift_jis").decode(new Uint8Array([130, 160])), (await fs.readFile("/tmp/large")).length,
      new Intl.DateTimeFormat("de", { timeZone: "Asia/Tokyo", dateStyle: "long" }).format(0), "ä".localeCompare("z", "sv")]`;
  const size = 8 * 1024 * 1024;
  const said = [size, size, `<a rel="x">1</a>`, "あ", size, "1. Januar 1970", 1];
  expect(await inPlugin(body, { runner: makeRunner({ limits }) })).toEqual(said);
});

it("WebAssembly's memory and tables work, and its code stays forbidden", async () => {
  const body = `const memory = new WebAssembly.Memory({ initial: 1, maximum: 2000 });
    for (let pages = 0; pages < 800; pages += 100) { memory.grow(100); new Uint8Array(memory.buffer).fill(pages) }
    const shared = new WebAssembly.Memory({ initial: 1, maximum: 10, shared: true });
    const table = new WebAssembly.Table({ element: "externref", initial: 10 });
    table.grow(1000);
    const code = await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(() => "ran", (error) => error.name);
    return [memory.buffer.byteLength, shared.buffer.byteLength, table.length, code]`;
  expect(await inPlugin(body)).toEqual([801 * 65536, 65536, 1010, "CompileError"]);
});

it("thousands of timers, and calls in between, all come", async () => {
  const body = `let rang = 0;
    await Promise.all(Array.from({ length: 5000 }, (_, at) => new Promise((resolve) => setTimeout(() => { rang += 1; resolve() }, at % 200))));
    for (let at = 0; at < 200; at += 1) await ctx.kv.set("k", at);
    await scheduler.wait(1);
    return [rang, await ctx.kv.get("k")]`;
  expect(await inPlugin(body, { runner: makeRunner({ db: site.db, limits }) })).toEqual([5000, 199]);
});

it("a heap that grows, shrinks and is compiled for keeps working", async () => {
  const body = `const kept = [];
    for (let round = 0; round < 6; round += 1) {
      kept.push(Array.from({ length: 100000 }, (_, at) => ({ at, text: "t" + at })));
      for (let at = 0; at < 20; at += 1) new Uint8Array(4 << 20).fill(at);
      if (round % 2) kept.length = 0;
    }
    let sum = 0;
    const multiply = (a, b) => (a * b) | 0;
    for (let at = 0; at < 2e7; at += 1) sum = multiply(sum, at) ^ at;
    const deep = () => deep();
    let end;
    try { deep() } catch (error) { end = error.name }
    return [Number.isInteger(sum), end]`;
  const runner = makeRunner({ limits: { cpuMs: 60_000 } });
  expect(await inPlugin(body, { runner })).toEqual([true, "RangeError"]);
});

it("large frames both ways and a file's bytes pass, many times over", async () => {
  const runner = makeRunner({ db: site.db });
  const code = routeOf(`for (let at = 0; at < 5; at += 1) await ctx.kv.set("k" + at, input + at);
    return (await ctx.kv.get("k4")).length`);
  const plugin = await loadPlugin(runner, code);
  const large = "x".repeat(3 * 1024 * 1024);
  expect(await Promise.all([ask(plugin, large), ask(plugin, large)])).toEqual([
    large.length + 1,
    large.length + 1,
  ]);
});

it("a heap that is full ends with V8's own words, because the jail leaves a crash its last ones", async () => {
  const runner = makeRunner({ limits: { memoryMb: 32, cpuMs: 60_000 } });
  const plugin = await loadPlugin(
    runner,
    routeOf("const all = []; for (;;) all.push(new Array(1000).fill({}))"),
  );
  await expect(ask(plugin)).rejects.toThrow("exceeded memory limit of 32MB");
  expect(printed.some(({ line }) => line.includes("JavaScript heap out of memory"))).toBe(true);
});
