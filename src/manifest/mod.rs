//! A plugin's manifest as validated types.
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorCode};
use crate::json::{self, Kind};
pub use capability::{Capabilities, Capability};

pub mod capability;

/// The longest `id` or `version`, in bytes of UTF-8. Every row that a plugin stores and every line that it logs carries
/// its id; real ones have some thirty characters.
const MAX_NAME_BYTES: usize = 1024;

/// What of a plugin's manifest the sandbox acts upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Data, never a part of a path, an identifier or a pattern: any characters but NUL.
    pub id: String,
    pub version: String,
    pub capabilities: Capabilities,
    /// As declared: `*`, `*.example.com` or a host.
    pub allowed_hosts: Vec<String>,
    /// The declared storage collections by name.
    pub storage: BTreeMap<String, StorageCollection>,
}

/// A declared storage collection: which fields can be queried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageCollection {
    pub indexes: Vec<Index>,
    pub unique_indexes: Vec<Index>,
}

/// An index over one field, or over several together. Serialises as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Index {
    Field(String),
    Composite(Vec<String>),
}

/// Why a manifest cannot be used. Names the field.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("manifest is not valid JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("manifest must be an object, not {found}")]
    NotAnObject { found: Kind },
    #[error("manifest field `{field}` is missing: it must be {expected}")]
    Missing { field: String, expected: &'static str },
    #[error("manifest field `{field}` must be {expected}, not {found}")]
    WrongKind {
        field: String,
        expected: &'static str,
        found: Kind,
    },
    #[error("manifest field `{field}` must not be empty")]
    Empty { field: String },
    #[error("manifest field `{field}` must be at most {MAX_NAME_BYTES} bytes long, not {bytes}")]
    TooLong { field: String, bytes: usize },
    #[error("manifest field `{field}` must not contain {what}")]
    Character { field: String, what: &'static str },
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::new(ErrorCode::InvalidManifest, error.to_string())
    }
}

impl Manifest {
    /// Reads a manifest's JSON text, as `JSON.stringify` makes it of EmDash's object. Fields that are not in
    /// [`Manifest`] are ignored.
    ///
    /// # Errors
    /// When a field is missing or is not what it should be.
    pub fn parse(json: &str) -> Result<Self, ManifestError> {
        let manifest: &RawValue = serde_json::from_str(json).map_err(ManifestError::NotJson)?;
        let [
            mut id,
            mut version,
            mut capabilities,
            mut allowed_hosts,
            mut storage,
        ] = [None; 5];
        let is_object = json::fields(manifest, |name, value| match name {
            b"id" => id = Some(value),
            b"version" => version = Some(value),
            b"capabilities" => capabilities = Some(value),
            b"allowedHosts" => allowed_hosts = Some(value),
            b"storage" => storage = Some(value),
            _ => {}
        });
        if !is_object {
            return Err(ManifestError::NotAnObject {
                found: Kind::of(manifest),
            });
        }
        Ok(Self {
            id: name("id", id)?,
            version: name("version", version)?,
            capabilities: Capabilities::from_manifest(strings("capabilities", capabilities)?),
            allowed_hosts: strings("allowedHosts", given(allowed_hosts))?,
            storage: collections(given(storage))?,
        })
    }

    /// `id:version`, which is what EmDash knows a loaded plugin by.
    pub fn instance_id(&self) -> String {
        format!("{}:{}", self.id, self.version)
    }

    /// The declared collections as JSON: `{"<name>":{"indexes":[…],"uniqueIndexes":[…]}}`.
    pub fn storage_json(&self) -> String {
        // Maps with string keys, lists and strings always serialise.
        serde_json::to_string(&self.storage).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// `None` also for null, which the runner that we replace takes for absent in `allowedHosts` and `storage`.
fn given(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| Kind::of(value) != Kind::Null)
}

fn name(field: &str, value: Option<&RawValue>) -> Result<String, ManifestError> {
    const EXPECTED: &str = "a non-empty string";
    let value = value.ok_or_else(|| ManifestError::Missing {
        field: field.to_owned(),
        expected: EXPECTED,
    })?;
    let name = string(|| field.to_owned(), EXPECTED, value)?;
    match name.len() {
        0 => Err(ManifestError::Empty {
            field: field.to_owned(),
        }),
        1..=MAX_NAME_BYTES => Ok(name),
        bytes => Err(ManifestError::TooLong {
            field: field.to_owned(),
            bytes,
        }),
    }
}

fn string(
    field: impl Fn() -> String,
    expected: &'static str,
    value: &RawValue,
) -> Result<String, ManifestError> {
    let bytes = json::string_bytes(value).ok_or_else(|| wrong_kind(field(), expected, value))?;
    // PostgreSQL cannot store NUL in a text, nor any database an unpaired surrogate.
    if bytes.contains(&0) {
        return Err(ManifestError::Character {
            field: field(),
            what: "NUL",
        });
    }
    String::from_utf8(bytes).map_err(|_| ManifestError::Character {
        field: field(),
        what: "an unpaired surrogate",
    })
}

fn strings(field: &str, value: Option<&RawValue>) -> Result<Vec<String>, ManifestError> {
    list(field, "an array of strings", value, |field, element| {
        string(field, "a string", element)
    })
}

fn list<T>(
    field: &str,
    expected: &'static str,
    value: Option<&RawValue>,
    read: impl Fn(&dyn Fn() -> String, &RawValue) -> Result<T, ManifestError>,
) -> Result<Vec<T>, ManifestError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut list = Ok(Vec::new());
    let is_array = json::elements(value, |element| {
        if let Ok(read_so_far) = &mut list {
            let index = read_so_far.len();
            match read(&|| format!("{field}[{index}]"), element) {
                Ok(element) => read_so_far.push(element),
                Err(error) => list = Err(error),
            }
        }
    });
    if is_array {
        list
    } else {
        Err(wrong_kind(field.to_owned(), expected, value))
    }
}

fn collections(storage: Option<&RawValue>) -> Result<BTreeMap<String, StorageCollection>, ManifestError> {
    let Some(storage) = storage else {
        return Ok(BTreeMap::new());
    };
    let mut collections = Ok(BTreeMap::new());
    let is_object = json::fields(storage, |name, value| {
        if let Ok(read_so_far) = &mut collections {
            match collection(name, value) {
                Ok((name, collection)) => _ = read_so_far.insert(name, collection),
                Err(error) => collections = Err(error),
            }
        }
    });
    // EmDash's own tests say `storage: []` for none.
    let is_empty_array = || {
        let mut length = 0;
        json::elements(storage, |_| length += 1) && length == 0
    };
    if is_object || is_empty_array() {
        collections
    } else {
        Err(wrong_kind(
            "storage".to_owned(),
            "an object of collections",
            storage,
        ))
    }
}

fn collection(name: &[u8], value: &RawValue) -> Result<(String, StorageCollection), ManifestError> {
    let shown = String::from_utf8_lossy(name);
    let field = format!(
        "storage.{}",
        shown.escape_debug().take(MAX_NAME_BYTES).collect::<String>()
    );
    let Ok(name) = String::from_utf8(name.to_vec()) else {
        return Err(ManifestError::Character {
            field,
            what: "an unpaired surrogate",
        });
    };
    let [mut indexes, mut unique_indexes] = [None; 2];
    let is_object = json::fields(value, |name, value| match name {
        b"indexes" => indexes = Some(value),
        b"uniqueIndexes" => unique_indexes = Some(value),
        _ => {}
    });
    if !is_object {
        return Err(wrong_kind(field, "an object", value));
    }
    let collection = StorageCollection {
        indexes: index_list(&format!("{field}.indexes"), given(indexes))?,
        unique_indexes: index_list(&format!("{field}.uniqueIndexes"), given(unique_indexes))?,
    };
    Ok((name, collection))
}

fn index_list(field: &str, value: Option<&RawValue>) -> Result<Vec<Index>, ManifestError> {
    const EXPECTED: &str = "a string or an array of strings";
    list(
        field,
        "an array of field names",
        value,
        |field, element| match Kind::of(element) {
            Kind::Array => strings(&field(), Some(element)).map(Index::Composite),
            _ => string(field, EXPECTED, element).map(Index::Field),
        },
    )
}

fn wrong_kind(field: String, expected: &'static str, found: &RawValue) -> ManifestError {
    ManifestError::WrongKind {
        field,
        expected,
        found: Kind::of(found),
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
