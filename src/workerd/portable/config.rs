//! The configuration of one plugin's workerd where it listens on a port: the same as [`Config`]'s text, in binary, with a
//! gate before the plugin's worker.
//!
//! Sizes of structs, places of pointers and the numbers of choices are those of `workerd.capnp`, as workerd's own
//! `compile --config-only` lays it out. They never change: newer fields come behind.

use super::message::{Message, Size, Struct};
use crate::backing::TOKEN_HEADER;
use crate::token::{Secret, Token};
use crate::workerd::config::{
    BACKING, BINDING, COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, Config, Module, PLUGIN_MODULE, WALL,
};
use crate::workerd::loopback::Keys;

/// The gate's file. It is a worker of its own: the plugin's code is not in its isolate, and sees neither key.
const GATE: Module<'static> = Module {
    name: "gate.js",
    source: include_str!("../../../guest/gate.js"),
};

const ROOT: Size = (0, 3);
const SERVICE: Size = (1, 2);
const SOCKET: Size = (1, 5);
const WORKER: Size = (1, 5);
const MODULE: Size = (1, 2);
const BINDING_SIZE: Size = (1, 2);
const DESIGNATOR: Size = (0, 2);
const NETWORK: Size = (0, 1);
const EXTERNAL: Size = (1, 2);
const HTTP: Size = (1, 3);
const HEADER: Size = (0, 2);

/// Choices of `Service`.
const IS_WORKER: u16 = 1;
const IS_NETWORK: u16 = 2;
const IS_EXTERNAL: u16 = 3;

/// Choices of `Worker.Binding`.
const IS_TEXT: u16 = 2;
const IS_JSON: u16 = 4;
const IS_SERVICE: u16 = 7;

/// Services, besides [`BACKING`].
const PLUGIN: &str = "main";
const GATE_SERVICE: &str = "gate";
const INTERNET: &str = "internet";

/// What only this kind of start knows.
pub(super) struct Ports<'a> {
    /// The name of the socket, by which workerd tells its port. A plugin can print what workerd prints, but not this.
    pub(super) socket: &'a Secret,
    pub(super) keys: &'a Keys,
    /// Where the backing server listens.
    pub(super) backing: u16,
}

/// What `workerd serve --binary` reads.
pub(super) fn encode(config: &Config<'_>, ports: &Ports<'_>) -> Vec<u8> {
    let (mut message, root) = Message::new(ROOT);
    let m = &mut message;
    let services = [PLUGIN, GATE_SERVICE, INTERNET, BACKING];
    for (name, service) in services
        .into_iter()
        .zip(m.structures(root, 0, SERVICE, services.len()))
    {
        m.text(service, 0, name);
        match name {
            PLUGIN => plugin_worker(m, service, config),
            GATE_SERVICE => gate_worker(m, service, ports.keys),
            INTERNET => no_network(m, service),
            _ => backing(m, service, ports.backing, config.token),
        }
    }

    for socket in m.structures(root, 1, SOCKET, 1) {
        m.text(socket, 0, ports.socket.expose());
        m.text(socket, 1, "127.0.0.1:0");
        m.structure(socket, 2, HTTP);
        designate(m, socket, 4, GATE_SERVICE, None);
    }
    m.texts(root, 2, config.v8_flags);
    message.finish()
}

/// As in the text: without it workerd makes one that reaches the network.
fn no_network(m: &mut Message, service: Struct) {
    m.small(service, 0, IS_NETWORK);
    let network = m.structure(service, 1, NETWORK);
    m.texts::<&str>(network, 0, &[]);
}

fn backing(m: &mut Message, service: Struct, port: u16, token: &Token) {
    m.small(service, 0, IS_EXTERNAL);
    let external = m.structure(service, 1, EXTERNAL);
    m.text(external, 0, &format!("127.0.0.1:{port}"));
    let http = m.structure(external, 1, HTTP);
    for header in m.structures(http, 2, HEADER, 1) {
        m.text(header, 0, TOKEN_HEADER);
        m.text(header, 1, token.expose());
    }
}

fn plugin_worker(m: &mut Message, service: Struct, config: &Config<'_>) {
    m.small(service, 0, IS_WORKER);
    let worker = m.structure(service, 1, WORKER);
    let plugin = Module {
        name: PLUGIN_MODULE,
        source: config.plugin_code,
    };
    modules(m, worker, config.modules.iter().chain([&plugin]));
    m.text(worker, 1, COMPATIBILITY_DATE);
    m.texts(worker, 2, &COMPATIBILITY_FLAGS);
    let mut bindings = m.structures(worker, 3, BINDING_SIZE, 2);
    if let Some(json) = bindings.next() {
        bind(m, json, BINDING, IS_JSON);
        m.text(json, 1, config.binding);
    }
    if let Some(backing) = bindings.next() {
        bind(m, backing, "BACKING", IS_SERVICE);
        designate(m, backing, 1, BACKING, None);
    }
    designate(m, worker, 4, PLUGIN, Some(WALL));
}

fn gate_worker(m: &mut Message, service: Struct, keys: &Keys) {
    m.small(service, 0, IS_WORKER);
    let worker = m.structure(service, 1, WORKER);
    modules(m, worker, [GATE].iter());
    m.text(worker, 1, COMPATIBILITY_DATE);
    let secrets = [("KEY", &keys.key), ("PROOF", &keys.proof)];
    let mut bindings = m.structures(worker, 3, BINDING_SIZE, 1 + secrets.len());
    for ((name, secret), binding) in secrets.into_iter().zip(&mut bindings) {
        bind(m, binding, name, IS_TEXT);
        m.text(binding, 1, secret.expose());
    }
    for binding in bindings {
        bind(m, binding, "PLUGIN", IS_SERVICE);
        designate(m, binding, 1, PLUGIN, None);
    }
}

fn modules<'a>(m: &mut Message, worker: Struct, modules: impl Iterator<Item = &'a Module<'a>> + Clone) {
    let places = m.structures(worker, 0, MODULE, modules.clone().count());
    for (module, place) in modules.zip(places) {
        m.text(place, 0, module.name);
        m.text(place, 1, module.source);
    }
}

fn bind(m: &mut Message, binding: Struct, name: &str, choice: u16) {
    m.text(binding, 0, name);
    m.small(binding, 0, choice);
}

fn designate(m: &mut Message, of: Struct, pointer: usize, service: &str, entrypoint: Option<&str>) {
    let designator = m.structure(of, pointer, DESIGNATOR);
    m.text(designator, 0, service);
    if let Some(entrypoint) = entrypoint {
        m.text(designator, 1, entrypoint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workerd::guest_modules;

    /// The texts of a message in the order in which a reader that knows no schema finds them, with the first word of data
    /// of each struct that has one.
    fn read(message: &[u8]) -> Vec<String> {
        let words: Vec<_> = message
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(
            words[0],
            (words.len() as u64 - 1) << 32,
            "one segment, as long as it says"
        );
        let mut found = Vec::new();
        follow(&words[1..], 0, &mut found);
        found
    }

    fn follow(words: &[u64], slot: usize, found: &mut Vec<String>) {
        let pointer = words[slot];
        if pointer == 0 {
            return;
        }
        let at = slot + 1 + (pointer as u32 >> 2) as usize;
        if pointer & 3 == 0 {
            let size = ((pointer >> 32) as u16 as usize, (pointer >> 48) as usize);
            return structure(words, at, size, found);
        }
        let count = (pointer >> 35) as usize;
        match pointer >> 32 & 7 {
            2 => {
                let bytes: Vec<_> = words[at..].iter().flat_map(|word| word.to_le_bytes()).collect();
                assert_eq!(bytes[count - 1], 0);
                found.push(String::from_utf8(bytes[..count - 1].to_vec()).unwrap());
            }
            6 => (0..count).for_each(|index| follow(words, at + index, found)),
            _ => {
                let tag = words[at];
                let size = ((tag >> 32) as u16 as usize, (tag >> 48) as usize);
                let (data, pointers) = size;
                for index in 0..(tag as u32 >> 2) as usize {
                    structure(words, at + 1 + index * (data + pointers), size, found);
                }
            }
        }
    }

    fn structure(words: &[u64], at: usize, (data, pointers): Size, found: &mut Vec<String>) {
        if data > 0 && words[at] != 0 {
            found.push(format!("#{}", words[at]));
        }
        (0..pointers).for_each(|index| follow(words, at + data + index, found));
    }

    #[test]
    fn a_plugin_is_a_text_in_it_whatever_it_contains_and_the_keys_are_the_gates_alone() {
        let keys = Keys::generate().unwrap();
        let socket = Secret::generate().unwrap();
        let hostile = "\"), (name = \"evil\0\u{7f}é🦀";
        let token = Token::for_tests("claims.mac");
        let flags = ["--max-heap-size=128".to_owned()];
        let config = Config {
            modules: guest_modules(),
            plugin_code: hostile,
            binding: "{}",
            token: &token,
            v8_flags: &flags,
        };
        let ports = Ports {
            socket: &socket,
            keys: &keys,
            backing: 4711,
        };
        let mut expected: Vec<&str> = vec!["#1", "main"];
        for module in guest_modules() {
            expected.extend([module.name, module.source]);
        }
        expected.extend(["plugin.js", hostile, COMPATIBILITY_DATE]);
        expected.extend(COMPATIBILITY_FLAGS);
        expected.extend(["#4", "PLUGIN", "{}", "#7", "BACKING", "backing", "main", "Wall"]);
        expected.extend(["#1", "gate", "gate.js", GATE.source, COMPATIBILITY_DATE]);
        expected.extend(["#2", "KEY", keys.key.expose(), "#2", "PROOF", keys.proof.expose()]);
        expected.extend(["#7", "PLUGIN", "main", "#2", "internet"]);
        expected.extend(["#3", "backing", "127.0.0.1:4711", TOKEN_HEADER, "claims.mac"]);
        expected.extend([socket.expose(), "127.0.0.1:0", "gate", "--max-heap-size=128"]);
        assert_eq!(read(&encode(&config, &ports)), expected);
    }
}
