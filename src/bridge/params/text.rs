//! Strings, and what is passed on as the text that it came as.

use serde_json::value::RawValue;

use crate::bridge::BridgeError;
use crate::json::{self, Kind};
use crate::limits::sizes::MAX_KEY_BYTES;

pub(super) fn text(value: &RawValue) -> Option<String> {
    Some(value.get().to_owned())
}

pub(super) fn required_string(name: &'static str, field: Option<&RawValue>) -> Result<String, BridgeError> {
    let missing = BridgeError::MissingString(name);
    match field {
        None => Err(missing),
        Some(value) => utf8(name, value, missing),
    }
}

pub(super) fn utf8(
    name: &'static str,
    value: &RawValue,
    otherwise: BridgeError,
) -> Result<String, BridgeError> {
    let bytes = json::string_bytes(value).ok_or(otherwise)?;
    if bytes.contains(&0) {
        return Err(BridgeError::Nul(name));
    }
    String::from_utf8(bytes).map_err(|_| BridgeError::UnpairedSurrogate(name))
}

pub(super) fn is_bytes(value: &RawValue) -> bool {
    match Kind::of(value) {
        Kind::Number | Kind::String => true,
        Kind::Array => {
            let mut only_numbers = true;
            json::elements(value, |element| only_numbers &= Kind::of(element) == Kind::Number) && only_numbers
        }
        Kind::Null | Kind::Boolean | Kind::Object => false,
    }
}

pub(super) fn is_collection_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

pub(super) fn short_enough(name: &'static str, bytes: usize) -> Result<(), BridgeError> {
    match bytes {
        ..=MAX_KEY_BYTES => Ok(()),
        bytes => Err(BridgeError::KeyTooLong { name, bytes }),
    }
}

pub(super) fn small_enough(name: &'static str, value: &RawValue, limit: usize) -> Result<(), BridgeError> {
    if value.get().len() > limit {
        return Err(BridgeError::ValueTooLarge { name, limit });
    }
    Ok(())
}
