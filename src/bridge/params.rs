//! The kinds of parameter that operations take: what is accepted, and what the operation then gets.
use serde_json::value::RawValue;

use super::BridgeError;
use crate::json::{self, Kind};

/// Bounds and default of a page of results, for content (EmDash's `ctx.content.list`) and storage alike.
const LARGEST_PAGE: u8 = 100;
const DEFAULT_PAGE: u8 = 50;

/// A parameter: a field of the call's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Param {
    pub(super) name: &'static str,
    accepts: Accepts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepts {
    String,
    LossyString,
    OptionalString { default: Option<&'static str> },
    OneOf(&'static [&'static str]),
    CollectionName,
    Json,
    OptionalJson,
    OptionalRecord,
    OrderBy,
    StringArray,
    Items,
    ContentLimit,
    QueryLimit,
    Cursor,
}

const fn param(name: &'static str, accepts: Accepts) -> Param {
    Param { name, accepts }
}

/// A string; the operation gets it as it is.
pub(super) const fn string(name: &'static str) -> Param {
    param(name, Accepts::String)
}

/// A string of which only a person needs every character: an unpaired surrogate is replaced, not refused.
pub(super) const fn lossy_string(name: &'static str) -> Param {
    param(name, Accepts::LossyString)
}

/// A string or nothing. Null is not nothing: other runners refuse it, too.
pub(super) const fn optional_string(name: &'static str, default: Option<&'static str>) -> Param {
    param(name, Accepts::OptionalString { default })
}

/// One of these strings.
pub(super) const fn one_of(name: &'static str, choices: &'static [&'static str]) -> Param {
    param(name, Accepts::OneOf(choices))
}

/// The name of a content collection, which becomes part of a table's name: `^[a-z][a-z0-9_]*$`.
pub(super) const fn collection_name(name: &'static str) -> Param {
    param(name, Accepts::CollectionName)
}

/// Any JSON; the operation gets the plugin's own text. JavaScript's `undefined` arrives as an absent field: an error.
pub(super) const fn json(name: &'static str) -> Param {
    param(name, Accepts::Json)
}

/// Any JSON, or nothing.
pub(super) const fn optional_json(name: &'static str) -> Param {
    param(name, Accepts::OptionalJson)
}

/// An object, or nothing.
pub(super) const fn optional_record(name: &'static str) -> Param {
    param(name, Accepts::OptionalRecord)
}

/// An object that maps fields to `"asc"` or `"desc"`, or nothing.
pub(super) const fn order_by(name: &'static str) -> Param {
    param(name, Accepts::OrderBy)
}

/// An array of strings.
pub(super) const fn string_array(name: &'static str) -> Param {
    param(name, Accepts::StringArray)
}

/// An array of `{ id, data }` with a string as id and any data.
pub(super) const fn items(name: &'static str) -> Param {
    param(name, Accepts::Items)
}

/// A page size, resolved to a whole number of 1 to 100, as text. As other runners read `ctx.content.list`: also a
/// number in a string; zero and what is no number give 50. Unlike them it cuts 1.5 to 1, where they answer nothing.
pub(super) const fn content_limit(name: &'static str) -> Param {
    param(name, Accepts::ContentLimit)
}

/// As [`content_limit`], as other runners read `storage.query`: numbers alone, and zero gives 1.
pub(super) const fn query_limit(name: &'static str) -> Param {
    param(name, Accepts::QueryLimit)
}

/// A string, or nothing; anything else is nothing, because plugins that say `cursor: null` for the first page work on
/// other runners.
pub(super) const fn cursor(name: &'static str) -> Param {
    param(name, Accepts::Cursor)
}

impl Param {
    /// Checks the body's field of this name and makes it the operation's argument.
    pub(super) fn read(&self, field: Option<&RawValue>) -> Result<Option<String>, BridgeError> {
        let name = self.name;
        match self.accepts {
            Accepts::String => required_string(name, field).map(Some),
            Accepts::LossyString => {
                let bytes = field
                    .and_then(json::string_bytes)
                    .ok_or(BridgeError::MissingString(name))?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Accepts::OptionalString { default } => match field {
                None => Ok(default.map(str::to_owned)),
                Some(value) => utf8(name, value, BridgeError::NotAString(name)).map(Some),
            },
            Accepts::OneOf(choices) => {
                let bytes = field.and_then(json::string_bytes);
                let choice = choices
                    .iter()
                    .find(|choice| bytes.as_deref() == Some(choice.as_bytes()));
                choice
                    .map(|&choice| Some(choice.to_owned()))
                    .ok_or(BridgeError::NotOneOf { name, choices })
            }
            Accepts::CollectionName => {
                let collection = required_string(name, field)?;
                if !is_collection_name(&collection) {
                    return Err(BridgeError::InvalidCollectionName(collection));
                }
                Ok(Some(collection))
            }
            Accepts::Json => match field {
                None => Err(BridgeError::Missing(name)),
                Some(value) => Ok(text(value)),
            },
            Accepts::OptionalJson => Ok(field.and_then(text)),
            Accepts::OptionalRecord => match field {
                Some(value) if Kind::of(value) != Kind::Object => Err(BridgeError::NotARecord(name)),
                _ => Ok(field.and_then(text)),
            },
            Accepts::OrderBy => match field {
                Some(value) if !is_order(value) => Err(BridgeError::NotAnOrder(name)),
                _ => Ok(field.and_then(text)),
            },
            Accepts::StringArray => list(name, field, BridgeError::NotStrings, Some),
            Accepts::Items => list(name, field, BridgeError::NotItems, item_id),
            Accepts::ContentLimit => Ok(Some(content_page(field).to_string())),
            Accepts::QueryLimit => Ok(Some(query_page(field).to_string())),
            Accepts::Cursor => match field {
                Some(value) if Kind::of(value) == Kind::String => required_string(name, field).map(Some),
                _ => Ok(None),
            },
        }
    }
}

fn text(value: &RawValue) -> Option<String> {
    Some(value.get().to_owned())
}

fn required_string(name: &'static str, field: Option<&RawValue>) -> Result<String, BridgeError> {
    let missing = BridgeError::MissingString(name);
    match field {
        None => Err(missing),
        Some(value) => utf8(name, value, missing),
    }
}

fn utf8(name: &'static str, value: &RawValue, otherwise: BridgeError) -> Result<String, BridgeError> {
    let bytes = json::string_bytes(value).ok_or(otherwise)?;
    if bytes.contains(&0) {
        return Err(BridgeError::Nul(name));
    }
    String::from_utf8(bytes).map_err(|_| BridgeError::UnpairedSurrogate(name))
}

fn is_collection_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_order(value: &RawValue) -> bool {
    let mut only_directions = true;
    let is_object = json::fields(value, |_, direction| {
        // Compared as text: `"asc"` has no other spelling that JSON.stringify would make.
        only_directions &= matches!(direction.get(), r#""asc""# | r#""desc""#);
    });
    is_object && only_directions
}

/// An array whose elements each have a string where `id_of` looks.
fn list<'a>(
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
fn item_id(item: &RawValue) -> Option<&RawValue> {
    let (mut id, mut has_data) = (None, false);
    json::fields(item, |name, value| match name {
        b"id" => id = Some(value),
        b"data" => has_data = true,
        _ => {}
    });
    id.filter(|_| has_data)
}

fn content_page(field: Option<&RawValue>) -> u8 {
    let number = field.and_then(|value| match Kind::of(value) {
        Kind::Number => number(value.get()),
        Kind::String => {
            json::string_bytes(value).and_then(|bytes| number(String::from_utf8(bytes).ok()?.trim()))
        }
        _ => None,
    });
    number.filter(|&number| number != 0.0).map_or(DEFAULT_PAGE, page)
}

fn query_page(field: Option<&RawValue>) -> u8 {
    let number = field
        .filter(|value| Kind::of(value) == Kind::Number)
        .and_then(|value| number(value.get()));
    number.map_or(DEFAULT_PAGE, page)
}

/// A number in decimal notation. Rust's own reader alone would also take `inf` and `nan`.
fn number(text: &str) -> Option<f64> {
    let is_decimal = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|_| is_decimal)
}

fn page(number: f64) -> u8 {
    // `as` cuts the fraction, and 1e999 (infinite here as in JavaScript) has been clamped before.
    number.clamp(1.0, f64::from(LARGEST_PAGE)) as u8
}
