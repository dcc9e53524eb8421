//! Arrays.

use serde_json::value::RawValue;

use super::text::text;
use crate::bridge::BridgeError;
use crate::json;

/// The most entries that one call may write: EmDash's other runners set it.
pub(in crate::bridge) const LARGEST_BATCH: usize = 100;

/// An array whose elements `check` accepts.
pub(super) fn list(
    name: &'static str,
    field: Option<&RawValue>,
    wrong: fn(&'static str) -> BridgeError,
    check: impl Fn(&RawValue) -> Result<(), BridgeError>,
) -> Result<Option<String>, BridgeError> {
    let value = field.ok_or(wrong(name))?;
    counted(name, value, wrong, check).map(|_| text(value))
}

/// An array of at most [`LARGEST_BATCH`] elements that `check` accepts. Its size is looked at last, as in other runners.
pub(super) fn batch(
    name: &'static str,
    field: Option<&RawValue>,
    wrong: fn(&'static str) -> BridgeError,
    check: impl Fn(&RawValue) -> Result<(), BridgeError>,
) -> Result<Option<String>, BridgeError> {
    let value = field.ok_or(wrong(name))?;
    match counted(name, value, wrong, check)? {
        size if size > LARGEST_BATCH => Err(BridgeError::BatchTooLarge(size)),
        _ => Ok(text(value)),
    }
}

/// How many elements an array has, which `check` accepts.
fn counted(
    name: &'static str,
    value: &RawValue,
    wrong: fn(&'static str) -> BridgeError,
    check: impl Fn(&RawValue) -> Result<(), BridgeError>,
) -> Result<usize, BridgeError> {
    let (mut size, mut checked) = (0, Ok(()));
    let is_array = json::elements(value, |element| {
        size += 1;
        if checked.is_ok() {
            checked = check(element);
        }
    });
    if !is_array {
        return Err(wrong(name));
    }
    checked.map(|()| size)
}
