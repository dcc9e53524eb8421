//! What the development runner takes from the addon: the guest, and how a manifest and a guest are read.

use napi::bindgen_prelude::Utf16String;
use napi_derive::napi;

use super::event::number;
use super::options::NativeOptions;
use super::runner::{NativeFailure, thrown};
use super::status::NativeLimits;
use crate::dev::{self, Heard};
use crate::supervisor::Options;
use crate::workerd::{
    BINDING, COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, PLUGIN_MODULE, WALL, guest_modules, sanitise_line,
};

/// An ES module.
#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeModule {
    pub name: String,
    pub source: String,
}

/// What every plugin's worker has in common.
#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeGuest {
    /// The first one is the worker's main module.
    pub modules: Vec<NativeModule>,
    /// The name of the module that is the plugin's own code.
    pub plugin_module: String,
    /// The name of the JSON binding.
    pub binding: String,
    /// The main module's entry point that answers for the network.
    pub wall: String,
    pub compatibility_date: String,
    pub compatibility_flags: Vec<String>,
    /// The main module of the worker that stands before it.
    pub gate: String,
    /// The name that the plugin's worker must have.
    pub worker: String,
}

/// Exactly one of the two is not `null`.
#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct DescribeOutcome {
    pub failure: Option<NativeFailure>,
    pub description: Option<NativeDescription>,
}

/// A plugin, before anything runs it.
#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeDescription {
    pub id: String,
    pub version: String,
    /// The id as a log may show it.
    pub label: String,
    /// The declared storage collections, as JSON text.
    pub storage: String,
    pub capabilities: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub collections: Vec<String>,
    /// JSON text for the guest.
    pub binding: String,
    pub code: String,
}

/// A frame of the guest, read and checked. `null` is none.
#[derive(Debug)]
#[napi(
    discriminant = "kind",
    discriminant_case = "lowercase",
    object_from_js = false,
    use_nullable = true
)]
pub enum NativeFrame {
    Ready {
        hooks: Vec<String>,
        routes: Vec<String>,
    },
    Broken {
        reason: String,
    },
    /// A `ctx` call that passed the checks.
    Call {
        call: f64,
        invocation: f64,
        method: String,
        #[napi(ts_type = "Array<string | null>")]
        args: Vec<Option<String>>,
    },
    /// A `ctx` call that did not, with what the plugin is told.
    Refused {
        call: f64,
        invocation: f64,
        message: String,
    },
    /// An invocation's answer: JSON text, or `null` for `undefined`.
    Done {
        invocation: f64,
        value: Option<String>,
    },
    /// What an invocation threw.
    Failed {
        invocation: f64,
        code: String,
        message: String,
        stack: Option<String>,
    },
}

/// The options of a runner, checked.
#[derive(Debug)]
#[napi]
pub struct NativeDev {
    options: Options,
}

#[napi]
impl NativeDev {
    /// The paths among the options count for nothing.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: NativeOptions) -> napi::Result<Self> {
        let options = options.validate().map_err(thrown)?;
        Ok(Self { options })
    }

    /// As `load` reads them. `code` crosses as UTF-16 for the same reason.
    #[napi(catch_unwind)]
    pub fn describe(&self, manifest: String, code: Utf16String) -> DescribeOutcome {
        match dev::describe(&manifest, &code, &self.options.limits, &self.options.site) {
            Err(error) => DescribeOutcome {
                failure: Some(error.into()),
                description: None,
            },
            Ok(described) => DescribeOutcome {
                failure: None,
                description: Some(described.into()),
            },
        }
    }

    /// What its plugins are held to, as far as they are.
    #[napi(catch_unwind)]
    pub fn limits(&self) -> NativeLimits {
        NativeLimits::new(
            &self.options.limits,
            false,
            &["wallTimeMs", "maxUploadMb", "maxFetchMb"],
        )
    }
}

impl From<dev::Description> for NativeDescription {
    fn from(described: dev::Description) -> Self {
        let dev::Description {
            manifest,
            label,
            binding,
            code,
        } = described;
        Self {
            storage: manifest.storage_json(),
            capabilities: manifest.capabilities.names(),
            collections: manifest.storage.keys().cloned().collect(),
            allowed_hosts: manifest.allowed_hosts,
            id: manifest.id,
            version: manifest.version,
            label,
            binding,
            code,
        }
    }
}

/// The guest's files and what its worker is made with.
#[napi(catch_unwind)]
pub fn guest() -> NativeGuest {
    let modules = guest_modules().iter().map(|module| NativeModule {
        name: module.name.to_owned(),
        source: module.source.to_owned(),
    });
    NativeGuest {
        modules: modules.collect(),
        plugin_module: PLUGIN_MODULE.to_owned(),
        binding: BINDING.to_owned(),
        wall: WALL.to_owned(),
        compatibility_date: COMPATIBILITY_DATE.to_owned(),
        compatibility_flags: COMPATIBILITY_FLAGS.map(str::to_owned).into(),
        gate: dev::GATE.to_owned(),
        worker: dev::WORKER.to_owned(),
    }
}

/// Reads a frame of the guest and, of a call, checks it against what `describe` said of the plugin. `null` for what the
/// guest's own code would not send.
#[napi(catch_unwind)]
pub fn read_frame(text: String, capabilities: Vec<String>, collections: Vec<String>) -> Option<NativeFrame> {
    Some(match dev::hear(&text, &dev::grants(capabilities, collections))? {
        Heard::Ready { hooks, routes } => NativeFrame::Ready { hooks, routes },
        Heard::Broken { reason } => NativeFrame::Broken { reason },
        Heard::Call {
            call,
            invocation,
            checked: Ok((method, args)),
        } => NativeFrame::Call {
            call: number(call),
            invocation: number(invocation),
            method: method.name().to_owned(),
            args,
        },
        Heard::Call {
            call,
            invocation,
            checked: Err(error),
        } => NativeFrame::Refused {
            call: number(call),
            invocation: number(invocation),
            message: error.to_string(),
        },
        Heard::Answer {
            invocation,
            outcome: Ok(value),
        } => NativeFrame::Done {
            invocation: number(invocation),
            value,
        },
        Heard::Answer {
            invocation,
            outcome: Err(error),
        } => NativeFrame::Failed {
            invocation: number(invocation),
            code: error.code.name().to_owned(),
            message: error.message,
            stack: error.stack,
        },
    })
}

/// Why a workerd did not start, from the lines of its standard error.
#[napi(catch_unwind)]
pub fn explain_output(lines: Vec<String>) -> String {
    dev::explain(&lines)
}

/// A line that somebody else wrote, as it may be printed.
#[napi(catch_unwind)]
pub fn printable_line(line: String) -> String {
    sanitise_line(line.as_bytes())
}
