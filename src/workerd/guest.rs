//! The guest's files, embedded. The first one is the worker's main module.

use super::config::Module;

pub(crate) fn guest_modules() -> &'static [Module<'static>] {
    &[
        Module {
            name: "boot.js",
            source: include_str!("../../guest/boot.js"),
        },
        Module {
            name: "channel.js",
            source: include_str!("../../guest/channel.js"),
        },
        Module {
            name: "context.js",
            source: include_str!("../../guest/context.js"),
        },
        Module {
            name: "fetch.js",
            source: include_str!("../../guest/fetch.js"),
        },
        Module {
            name: "garbage.js",
            source: include_str!("../../guest/garbage.js"),
        },
        Module {
            name: "handover.js",
            source: include_str!("../../guest/handover.js"),
        },
        Module {
            name: "intrinsics.js",
            source: include_str!("../../guest/intrinsics.js"),
        },
        Module {
            name: "loader.js",
            source: include_str!("../../guest/loader.js"),
        },
        Module {
            name: "refusal.js",
            source: include_str!("../../guest/refusal.js"),
        },
        Module {
            name: "emdash",
            source: include_str!("../../guest/emdash.js"),
        },
        // A module of a worker goes before a built-in of the same name.
        Module {
            name: "cloudflare:sockets",
            source: include_str!("../../guest/sockets.js"),
        },
    ]
}
