/** `http.fetch` without a network: what is refused before anything is sent. `parity/fetch.spec.ts` has the rest. */
import { as, type Call, type Case, NO_STRINGS, same } from "../case.js";

const fetchOf = (...args: unknown[]): Call => ["http.fetch", ...args];

/** Refused by both for what they are, in the same words. */
const REFUSED_URLS = [
  "",
  "no url",
  "//example.com/",
  "http://",
  "http://[",
  "ftp://example.com/",
  "file:///etc/passwd",
  "data:text/plain,x",
  "http://localhost/",
  "https://localhost:8080/",
  "http://LOCALHOST./",
  "http://metadata.google.internal/computeMetadata/v1/",
  "http://metadata.google/",
  "http://127.0.0.1.nip.io/",
  "http://nip.io./",
  "http://a.sslip.io/",
  "http://a.traefik.me/",
  "http://lvh.me/",
  "http://localtest.me/",
  "http://127.0.0.1/",
  "http://127.1:9/",
  "http://2130706433/",
  "http://0x7f.1/",
  "http://0177.0.0.1/",
  "http://0/",
  "http://10.0.0.1/",
  "http://172.16.0.1/",
  "http://192.168.1.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://[fd00::1]/",
  "http://[fe80::1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:a9fe:a9fe]/",
  "http://[::127.0.0.1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[::ffff:0:10.0.0.1]/",
];

export const fetches: Case[] = [
  same(
    "fetch without hosts",
    fetchOf("https://example.com/"),
    fetchOf("no url"),
    fetchOf("http://127.0.0.1/"),
  ),
  ...NO_STRINGS.map(([name, url]) => same(`fetch of ${name}`, fetchOf(url))),
  same("fetch with a method that is none", fetchOf("https://example.com/", { method: 7 })),
  same("fetch with a redirect mode that is none", fetchOf("https://example.com/", { redirect: "around" })),
  same("fetch with an empty method and mode", fetchOf("https://example.com/", { method: "", redirect: "" })),
  ...as("traveller", ...REFUSED_URLS.map((url) => same(`fetch of ${JSON.stringify(url)}`, fetchOf(url)))),
];
