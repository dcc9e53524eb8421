//! The configuration of one plugin's workerd, as capnp text.
use super::capnp::quote;
use crate::backing::TOKEN_HEADER;
use crate::token::Token;

/// The name of the JSON binding in `env`.
pub(crate) const BINDING: &str = "PLUGIN";

/// The name of the socket that `--socket-fd` hands over.
pub(crate) const SOCKET: &str = "entry";

/// The service that is the backing server; `--external-addr` says where it listens.
pub(crate) const BACKING: &str = "backing";

/// The plugin's own module.
pub(crate) const PLUGIN_MODULE: &str = "plugin.js";

/// The guest's named entry point that answers for the network.
pub(crate) const WALL: &str = "Wall";

/// What EmDash's other runners give a plugin.
pub(crate) const COMPATIBILITY_DATE: &str = "2025-01-01";

/// `nodejs_compat` as EmDash's other runners; without importable env a plugin sees its bindings nowhere.
pub(crate) const COMPATIBILITY_FLAGS: [&str; 2] = ["nodejs_compat", "disallow_importable_env"];

/// What workerd is to run. Everything in it is data and becomes a string literal: no identifier is made from a plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config<'a> {
    /// The guest's own modules. The first one is the entry; it exports the wall.
    pub(crate) modules: &'a [Module<'a>],
    pub(crate) plugin_code: &'a str,
    /// JSON text, in `env` as [`BINDING`].
    pub(crate) binding: &'a str,
    /// Injected into all that the plugin sends to the backing server.
    pub(crate) token: &'a Token,
    /// Such as `--max-heap-size=128`.
    pub(crate) v8_flags: &'a [String],
}

/// An ES module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module<'a> {
    pub(crate) name: &'a str,
    pub(crate) source: &'a str,
}

impl Config<'_> {
    /// The text that `workerd serve` reads.
    pub(crate) fn render(&self) -> String {
        let plugin = Module {
            name: PLUGIN_MODULE,
            source: self.plugin_code,
        };
        let modules: Vec<String> = self.modules.iter().chain([&plugin]).map(render_module).collect();
        let flags: Vec<String> = self.v8_flags.iter().map(|flag| quote(flag)).collect();
        let compatibility: Vec<String> = COMPATIBILITY_FLAGS.iter().map(|flag| quote(flag)).collect();
        // `worker = .plugin` with its space: capnp reads `=.` as one token. The service `internet` is there because
        // workerd makes its own otherwise, which may reach the network and reads the system's certificates at start.
        format!(
            r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .plugin),
    (name = "internet", network = (allow = [])),
    (name = {backing}, external = (http = (injectRequestHeaders = [(name = {header}, value = {token})]))),
  ],
  sockets = [(name = {socket}, http = (), service = "main")],
  v8Flags = [{flags}],
);

const plugin :Workerd.Worker = (
  modules = [
{modules}  ],
  bindings = [(name = {binding}, json = {json}), (name = "BACKING", service = {backing})],
  compatibilityDate = {date},
  compatibilityFlags = [{compatibility}],
  globalOutbound = (name = "main", entrypoint = {wall}),
);
"#,
            socket = quote(SOCKET),
            flags = flags.join(", "),
            date = quote(COMPATIBILITY_DATE),
            compatibility = compatibility.join(", "),
            modules = modules.concat(),
            binding = quote(BINDING),
            json = quote(self.binding),
            wall = quote(WALL),
            backing = quote(BACKING),
            header = quote(TOKEN_HEADER),
            token = quote(self.token.expose()),
        )
    }
}

fn render_module(module: &Module<'_>) -> String {
    format!(
        "    (name = {}, esModule = {}),\n",
        quote(module.name),
        quote(module.source)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const BOOT: Module<'_> = Module {
        name: "boot.js",
        source: "import plugin from \"plugin.js\";\nexport default {\n  fetch: (request, env) => Response.json([plugin, env.PLUGIN]),\n};\nexport const Wall = { fetch() { throw new Error(\"no network\"); } };\n",
    };

    fn token() -> Token {
        Token::for_tests("claims.mac")
    }

    /// Compares with the file, or writes it when the environment says `UPDATE_GOLDEN=1`.
    fn golden(name: &str, rendered: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/workerd/golden")
            .join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, rendered).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            rendered,
            expected,
            "{} differs: run with UPDATE_GOLDEN=1 and look at the diff",
            path.display()
        );
    }

    #[test]
    fn a_plain_plugin() {
        let config = Config {
            modules: &[BOOT],
            plugin_code: "export default {};",
            binding: r#"{"manifest":{"id":"audit-log","version":"1.0.0"}}"#,
            token: &token(),
            v8_flags: &[],
        };
        golden("plain.capnp", &config.render());
    }

    #[test]
    fn a_plugin_that_would_like_to_write_the_configuration_itself() {
        let config = Config {
            modules: &[
                BOOT,
                Module {
                    name: "cloudflare:sockets",
                    source: "",
                },
            ],
            plugin_code: "export default \"),\\n\" + '*/ # é🦀\u{2028}';\r\n/* \"), (name = \"x\", esModule = \"\0\x7f\" */\n",
            binding: r##"{"manifest":{"id":"\"), # \n../../etc/passwd\\","version":"__proto__\u0000"}}"##,
            token: &token(),
            v8_flags: &["--max-heap-size=128".to_owned(), "--no-\"quoted\"".to_owned()],
        };
        golden("hostile.capnp", &config.render());
    }
}
