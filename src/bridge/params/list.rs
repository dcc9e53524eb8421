//! Arrays.

use serde_json::value::RawValue;

use super::text::{text, utf8};
use crate::bridge::BridgeError;
use crate::json;

/// The most entries that one call may write: EmDash's other runners set it.
pub(in crate::bridge) const LARGEST_BATCH: usize = 100;

/// An array whose elements each have a string where `id_of` looks.
pub(super) fn list<'a>(
    name: &'static str,
    field: Option<&'a RawValue>,
    wrong: fn(&'static str) -> BridgeError,
    id_of: fn(&'a RawValue) -> Option<&'a RawValue>,
) -> Result<Option<String>, BridgeError> {
    let value = field.ok_or(wrong(name))?;
    let mut checked = Ok(());
    let is_array = json::elements(value, |element| {
        if checked.is_ok() {
            checked = id_of(element)
                .ok_or(wrong(name))
                .and_then(|id| utf8(name, id, wrong(name)))
                .map(drop);
        }
    });
    if !is_array {
        return Err(wrong(name));
    }
    checked.map(|()| text(value))
}

/// The `id` of an object that also has `data`. Of a field that comes twice the last, as the host's `JSON.parse` sees it.
pub(super) fn item_id(item: &RawValue) -> Option<&RawValue> {
    let (mut id, mut has_data) = (None, false);
    json::fields(item, |name, value| match name {
        b"id" => id = Some(value),
        b"data" => has_data = true,
        _ => {}
    });
    id.filter(|_| has_data)
}

/// An array of at most [`LARGEST_BATCH`] elements that `check` accepts. Its size is looked at last, as in other runners.
pub(super) fn batch(
    name: &'static str,
    field: Option<&RawValue>,
    wrong: fn(&'static str) -> BridgeError,
    check: impl Fn(&RawValue) -> Result<(), BridgeError>,
) -> Result<Option<String>, BridgeError> {
    let value = field.ok_or(wrong(name))?;
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
    checked?;
    if size > LARGEST_BATCH {
        return Err(BridgeError::BatchTooLarge(size));
    }
    Ok(text(value))
}
