using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .plugin),
    (name = "internet", network = (allow = [])),
    (name = "backing", external = (http = (injectRequestHeaders = [(name = "x-emdash-sandbox-token", value = "claims.mac")]))),
  ],
  sockets = [(name = "entry", http = (), service = "main")],
  v8Flags = ["--max-heap-size=128", "--no-\"quoted\""],
);

const plugin :Workerd.Worker = (
  modules = [
    (name = "boot.js", esModule = "import plugin from \"plugin.js\";\nexport default {\n  fetch: (request, env) => Response.json([plugin, env.PLUGIN]),\n};\nexport const Wall = { fetch() { throw new Error(\"no network\"); } };\n"),
    (name = "cloudflare:sockets", esModule = ""),
    (name = "plugin.js", esModule = "export default \"),\\n\" + '*/ # é🦀 ';\r\n/* \"), (name = \"x\", esModule = \"\x00\x7f\" */\n"),
  ],
  bindings = [(name = "PLUGIN", json = "{\"manifest\":{\"id\":\"\\\"), # \\n../../etc/passwd\\\\\",\"version\":\"__proto__\\u0000\"}}"), (name = "BACKING", service = "backing")],
  compatibilityDate = "2025-01-01",
  compatibilityFlags = ["nodejs_compat", "disallow_importable_env"],
  globalOutbound = (name = "main", entrypoint = "Wall"),
);
