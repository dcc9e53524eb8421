//! Who may call what: a plugin's `ctx` call, as it came from the channel, checked against the table of operations.
use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::egress::Reach;
use crate::json;
use crate::limits::Limits;
use crate::limits::sizes::{MAX_KEY_BYTES, MAX_VALUE_BYTES, size_text};
use crate::manifest::{Capabilities, Capability, Manifest};
pub use direct::{Caller, DirectEgress, WholeAnswer};
pub use log::LogLine;
pub use table::Method;

mod direct;
pub(crate) mod fetch;
mod log;
mod params;
mod table;

use table::{Need, Row};

/// What one plugin has been granted, fixed while it is loaded.
#[derive(Debug, Clone)]
pub struct Grants {
    pub capabilities: Capabilities,
    /// Names of the declared storage collections.
    pub collections: BTreeSet<String>,
    /// Bytes of a value that is stored, as JSON.
    pub max_value: usize,
}

impl Grants {
    pub(crate) fn new(manifest: &Manifest, limits: &Limits) -> Self {
        Self {
            capabilities: manifest.capabilities.clone(),
            collections: manifest.storage.keys().cloned().collect(),
            max_value: limits.max_value,
        }
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            capabilities: Capabilities::default(),
            collections: BTreeSet::default(),
            max_value: MAX_VALUE_BYTES,
        }
    }
}

/// A call that has passed every check that needs no database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub method: Method,
    /// In the order of the row's parameters. A string parameter is itself, any other is JSON text, an absent one `None`.
    pub args: Vec<Option<String>>,
}

impl Operation {
    /// The wire name, such as `kv/get`.
    pub fn name(&self) -> &'static str {
        self.method.name()
    }
}

/// Why a call is refused. Plugins see these texts, and EmDash's other runners have set them: so they are sentences
/// rather than fragments, and part of the interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BridgeError {
    #[error("Unknown bridge method: {0}")]
    UnknownMethod(String),
    #[error("The body of a bridge call must be a JSON object")]
    BodyNotAnObject,
    #[error("Missing capability: {0}")]
    MissingCapability(Capability),
    #[error("Storage collection not declared: {0}")]
    UndeclaredCollection(String),
    #[error("Invalid collection name: {0}")]
    InvalidCollectionName(String),
    #[error("Missing required parameter: {0}")]
    Missing(&'static str),
    #[error("Missing required string parameter: {0}")]
    MissingString(&'static str),
    #[error("Missing required object parameter: {0}")]
    MissingRecord(&'static str),
    #[error("Parameter {0} must be a string when provided")]
    NotAString(&'static str),
    #[error("Parameter {0} must be an object when provided")]
    NotARecord(&'static str),
    #[error("Parameter {0} must be an array of strings")]
    NotStrings(&'static str),
    #[error("Parameter {0} must be an array of {{ id: string, data }} items")]
    NotItems(&'static str),
    #[error("Parameter {0} must be an array of objects")]
    NotRecords(&'static str),
    #[error("Parameter {0} must be an array of {{ id: string, data: object }} items")]
    NotUpdates(&'static str),
    #[error("Batch size {0} exceeds maximum of {max}", max = params::LARGEST_BATCH)]
    BatchTooLarge(usize),
    #[error("Parameter {0} must be a whole number when provided")]
    NotAnInteger(&'static str),
    #[error("http/fetch: {0}")]
    Fetch(&'static str),
    #[error("email/send requires message with to, subject, and text")]
    NotAnEmailMessage,
    #[error("Parameter {0} must be an object mapping field to \"asc\"|\"desc\"")]
    NotAnOrder(&'static str),
    #[error("Parameter {name} must be one of: {}", .choices.join(", "))]
    NotOneOf {
        name: &'static str,
        choices: &'static [&'static str],
    },
    /// JavaScript's strings can hold half a character. No database can, and two such ids would become the same one.
    #[error("Parameter {0} must not contain an unpaired surrogate")]
    UnpairedSurrogate(&'static str),
    /// PostgreSQL holds no NUL in a text, and libSQL's driver cuts what it reads there.
    #[error("Parameter {0} must not contain NUL")]
    Nul(&'static str),
    #[error("Parameter {name} must be at most {MAX_KEY_BYTES} bytes long, not {bytes}")]
    KeyTooLong { name: &'static str, bytes: usize },
    #[error("Parameter {name} must take at most {} as JSON", size_text(*.limit))]
    ValueTooLarge { name: &'static str, limit: usize },
    #[error("Parameter {0} must be a string or array of numbers")]
    NotBytes(&'static str),
    #[error("Parameter {0} must be a whole number from 1 to {limit}", limit = params::LARGEST_READ_BYTES)]
    NotAByteLimit(&'static str),
}

/// Checks a call: that its method exists, its body is an object, the plugin holds what the operation needs, and the
/// parameters are right, in this order. Nothing is read from the body that the operation does not take.
///
/// # Errors
/// The first check that fails.
pub fn parse(method: &str, body: &RawValue, grants: &Grants) -> Result<Operation, BridgeError> {
    let method = Method::parse(method).ok_or_else(|| BridgeError::UnknownMethod(method.to_owned()))?;
    let row = method.row();
    let fields = pick(row, body).ok_or(BridgeError::BodyNotAnObject)?;
    if let Need::Capability(capability) = row.needs
        && !grants.capabilities.contains(capability)
    {
        return Err(BridgeError::MissingCapability(capability));
    }
    let mut args = Vec::with_capacity(row.params.len());
    for (param, field) in row.params.iter().zip(fields) {
        let arg = param.read(field, grants.max_value)?;
        if row.needs == Need::DeclaredCollection && param.name == table::COLLECTION {
            let collection = arg.as_deref().unwrap_or_default();
            if !grants.collections.contains(collection) {
                return Err(BridgeError::UndeclaredCollection(collection.to_owned()));
            }
        }
        args.push(arg);
    }
    Ok(Operation { method, args })
}

/// [`parse`] for a call whose body is text, as `createBridgeHandler` gets it from anybody.
///
/// # Errors
/// The first check that fails; a body that is no JSON is none that is an object.
pub fn parse_text(method: &str, body: &str, grants: &Grants) -> Result<Operation, BridgeError> {
    // "null" for what can't be read: the method is still looked up first.
    let body = serde_json::from_str(body).unwrap_or(RawValue::NULL);
    parse(method, body, grants)
}

/// Where a plugin may fetch from. `http/fetch` has no row in the table: it is carried out in Rust.
///
/// # Errors
/// When it holds no capability for it.
pub(crate) fn reach(plugin_id: &str, grants: &Grants, hosts: &[String]) -> Result<Reach, BridgeError> {
    let holds = |capability| grants.capabilities.contains(capability);
    let is_unrestricted = holds(Capability::NetworkRequestUnrestricted);
    if is_unrestricted || holds(Capability::NetworkRequest) {
        Ok(Reach::new(plugin_id, is_unrestricted, hosts))
    } else {
        Err(BridgeError::MissingCapability(Capability::NetworkRequest))
    }
}

/// The body's fields that the row has parameters for. Of a field that comes twice the last one, as `JSON.parse` does.
fn pick<'a>(row: &Row, body: &'a RawValue) -> Option<Vec<Option<&'a RawValue>>> {
    let mut picked = vec![None; row.params.len()];
    let is_object = json::fields(body, |name, value| {
        if let Some(index) = row.params.iter().position(|param| param.name.as_bytes() == name) {
            picked[index] = Some(value);
        }
    });
    is_object.then_some(picked)
}

#[cfg(test)]
mod tests;
