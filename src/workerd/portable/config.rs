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
