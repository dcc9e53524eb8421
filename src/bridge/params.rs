//! The kinds of parameter that operations take: what is accepted, and what the operation then gets.
use serde_json::value::RawValue;

use super::BridgeError;
use crate::json::{self, Kind};
use crate::limits::sizes::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// Bounds and default of a page of results, for content (EmDash's `ctx.content.list`) and storage alike.
const LARGEST_PAGE: u8 = 100;
const DEFAULT_PAGE: u8 = 50;

/// The most entries that one call may write: EmDash's other runners set it.
pub(super) const LARGEST_BATCH: usize = 100;

/// What `ctx.media.readBytes` reads by default and at most (EmDash's documentation of it).
const DEFAULT_READ_BYTES: i64 = 10 * 1024 * 1024;
pub(super) const LARGEST_READ_BYTES: i64 = 16 * 1024 * 1024;

/// The one option of `content.create`.
const LOCALE: &str = "locale";

/// As errors name what is in an item.
const ITEM_ID: &str = "items[].id";
const ITEM_DATA: &str = "items[].data";

/// A parameter: a field of the call's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Param {
    pub(super) name: &'static str,
    accepts: Accepts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepts {
    String,
    Key,
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
    ContentData,
    ContentBatch,
    ContentUpdates,
    ContentIds,
    CreateOptions,
    EmailMessage,
    Bytes,
    ByteLimit,
    OptionalInteger,
    ContentLimit,
    QueryLimit,
    LenientString,
}

const fn param(name: &'static str, accepts: Accepts) -> Param {
    Param { name, accepts }
}

/// A string; the operation gets it as it is.
pub(super) const fn string(name: &'static str) -> Param {
    param(name, Accepts::String)
}

/// A string under which something is stored: [`MAX_KEY_BYTES`] at most.
pub(super) const fn key(name: &'static str) -> Param {
    param(name, Accepts::Key)
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

/// Any JSON, [`MAX_VALUE_BYTES`] at most; the operation gets the plugin's own text. JavaScript's `undefined` arrives as an absent field: an error.
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

/// An array of `{ id, data }` with a string as id and any data, each as [`key`] and [`json`] take them.
pub(super) const fn items(name: &'static str) -> Param {
    param(name, Accepts::Items)
}

/// The fields of a content entry: an object. The texts among them become columns, so each must be one that every
/// database can hold; what is inside of an object or array is kept as JSON, which can escape anything.
pub(super) const fn content_data(name: &'static str) -> Param {
    param(name, Accepts::ContentData)
}

/// An array of entries' fields, [`LARGEST_BATCH`] at most.
pub(super) const fn content_batch(name: &'static str) -> Param {
    param(name, Accepts::ContentBatch)
}

/// An array of `{ id, data }` with an entry's fields as data, [`LARGEST_BATCH`] at most.
pub(super) const fn content_updates(name: &'static str) -> Param {
    param(name, Accepts::ContentUpdates)
}

/// An array of strings, [`LARGEST_BATCH`] at most.
pub(super) const fn content_ids(name: &'static str) -> Param {
    param(name, Accepts::ContentIds)
}

/// An object or nothing. The operation gets the one option that there is: `locale`, a string or nothing.
pub(super) const fn create_options(name: &'static str) -> Param {
    param(name, Accepts::CreateOptions)
}

/// An object with the strings `to`, `subject` and `text`, and perhaps `html`.
pub(super) const fn email_message(name: &'static str) -> Param {
    param(name, Accepts::EmailMessage)
}

/// The bytes of a file: from the guest the number under which they wait, which came over the backing server; from a
/// caller of `createBridgeHandler` the bytes themselves, as base64 or as an array of numbers.
pub(super) const fn bytes(name: &'static str) -> Param {
    param(name, Accepts::Bytes)
}

/// How many bytes may be read, as text: [`DEFAULT_READ_BYTES`] when absent, [`LARGEST_READ_BYTES`] at most.
pub(super) const fn byte_limit(name: &'static str) -> Param {
    param(name, Accepts::ByteLimit)
}

/// A whole number that a database's integer column can be compared to, also in a string; or nothing.
pub(super) const fn optional_integer(name: &'static str) -> Param {
    param(name, Accepts::OptionalInteger)
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
pub(super) const fn lenient_string(name: &'static str) -> Param {
    param(name, Accepts::LenientString)
}

/// Where a page begins: what the page before it said.
pub(super) const fn cursor(name: &'static str) -> Param {
    lenient_string(name)
}

impl Param {
    /// Checks the body's field of this name and makes it the operation's argument.
    pub(super) fn read(&self, field: Option<&RawValue>) -> Result<Option<String>, BridgeError> {
        let name = self.name;
        match self.accepts {
            Accepts::String => required_string(name, field).map(Some),
            Accepts::Key => {
                let key = required_string(name, field)?;
                short_enough(name, key.len()).map(|()| Some(key))
            }
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
                Some(value) => small_enough(name, value).map(|()| text(value)),
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
            Accepts::StringArray => list(name, field, BridgeError::NotStrings, |id| {
                utf8(name, id, BridgeError::NotStrings(name)).map(drop)
            }),
            Accepts::Items => list(name, field, BridgeError::NotItems, |item| {
                let wrong = || BridgeError::NotItems(name);
                let [id, data] = pick(item, ["id", "data"]).ok_or_else(wrong)?;
                let (id, data) = (id.ok_or_else(wrong)?, data.ok_or_else(wrong)?);
                short_enough(ITEM_ID, utf8(name, id, wrong())?.len())?;
                small_enough(ITEM_DATA, data)
            }),
            Accepts::ContentData => {
                let data = field.ok_or(BridgeError::MissingRecord(name))?;
                content_fields(name, data, BridgeError::MissingRecord(name)).map(|()| text(data))
            }
            Accepts::ContentBatch => batch(name, field, BridgeError::NotRecords, |entry| {
                content_fields(name, entry, BridgeError::NotRecords(name))
            }),
            Accepts::ContentUpdates => batch(name, field, BridgeError::NotUpdates, |update| {
                let wrong = || BridgeError::NotUpdates(name);
                let [id, data] = pick(update, ["id", "data"]).ok_or_else(wrong)?;
                utf8(name, id.ok_or_else(wrong)?, wrong())?;
                content_fields(name, data.ok_or_else(wrong)?, wrong())
            }),
            Accepts::ContentIds => batch(name, field, BridgeError::NotStrings, |id| {
                utf8(name, id, BridgeError::NotStrings(name)).map(drop)
            }),
            Accepts::CreateOptions => match field {
                None => Ok(None),
                Some(options) => {
                    let [locale] = pick(options, [LOCALE]).ok_or(BridgeError::NotARecord(name))?;
                    locale
                        .map(|locale| utf8(LOCALE, locale, BridgeError::NotAString(LOCALE)))
                        .transpose()
                }
            },
            Accepts::EmailMessage => field
                .filter(|message| is_email_message(message))
                .map(text)
                .ok_or(BridgeError::NotAnEmailMessage),
            Accepts::Bytes => field
                .filter(|value| is_bytes(value))
                .map(text)
                .ok_or(BridgeError::NotBytes(name)),
            Accepts::ByteLimit => match field {
                None => Ok(Some(DEFAULT_READ_BYTES.to_string())),
                Some(value) => integer(value)
                    .filter(|limit| (1..=LARGEST_READ_BYTES).contains(&i64::from(*limit)))
                    .map(|limit| Some(limit.to_string()))
                    .ok_or(BridgeError::NotAByteLimit(name)),
            },
            Accepts::OptionalInteger => match field {
                None => Ok(None),
                Some(value) => integer(value)
                    .map(|integer| Some(integer.to_string()))
                    .ok_or(BridgeError::NotAnInteger(name)),
            },
            Accepts::ContentLimit => Ok(Some(content_page(field).to_string())),
            Accepts::QueryLimit => Ok(Some(query_page(field).to_string())),
            Accepts::LenientString => match field {
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

fn short_enough(name: &'static str, bytes: usize) -> Result<(), BridgeError> {
    match bytes {
        ..=MAX_KEY_BYTES => Ok(()),
        bytes => Err(BridgeError::KeyTooLong { name, bytes }),
    }
}

fn small_enough(name: &'static str, value: &RawValue) -> Result<(), BridgeError> {
    match value.get().len() {
        ..=MAX_VALUE_BYTES => Ok(()),
        _ => Err(BridgeError::ValueTooLarge(name)),
    }
}

fn is_bytes(value: &RawValue) -> bool {
    match Kind::of(value) {
        Kind::Number | Kind::String => true,
        Kind::Array => {
            let mut only_numbers = true;
            json::elements(value, |element| only_numbers &= Kind::of(element) == Kind::Number) && only_numbers
        }
        Kind::Null | Kind::Boolean | Kind::Object => false,
    }
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

/// An array whose elements `check` accepts.
fn list(
    name: &'static str,
    field: Option<&RawValue>,
    wrong: fn(&'static str) -> BridgeError,
    check: impl Fn(&RawValue) -> Result<(), BridgeError>,
) -> Result<Option<String>, BridgeError> {
    let value = field.ok_or(wrong(name))?;
    counted(name, value, wrong, check).map(|_| text(value))
}

/// The last field of each of these names, as the host's `JSON.parse` sees it; `None` when it is not an object.
fn pick<'a, const N: usize>(object: &'a RawValue, names: [&str; N]) -> Option<[Option<&'a RawValue>; N]> {
    let mut picked = [None; N];
    let is_object = json::fields(object, |name, value| {
        if let Some(place) = names.iter().position(|wanted| wanted.as_bytes() == name) {
            picked[place] = Some(value);
        }
    });
    is_object.then_some(picked)
}

/// Checks that it is an object whose texts can be columns.
fn content_fields(name: &'static str, data: &RawValue, wrong: BridgeError) -> Result<(), BridgeError> {
    let mut checked = Ok(());
    let is_object = json::fields(data, |_, value| {
        if checked.is_ok() && Kind::of(value) == Kind::String {
            checked = utf8(name, value, BridgeError::NotAString(name)).map(drop);
        }
    });
    if is_object { checked } else { Err(wrong) }
}

/// An array of at most [`LARGEST_BATCH`] elements that `check` accepts. Its size is looked at last, as in other runners.
fn batch(
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

fn is_email_message(message: &RawValue) -> bool {
    let is_string = |field: Option<&RawValue>| field.is_some_and(|field| Kind::of(field) == Kind::String);
    pick(message, ["to", "subject", "text", "html"]).is_some_and(|[to, subject, body, html]| {
        [to, subject, body].into_iter().all(is_string) && (html.is_none() || is_string(html))
    })
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
fn integer(value: &RawValue) -> Option<i32> {
    let number = any_number(value)?;
    (number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number))
        .then_some(number as i32)
}

fn content_page(field: Option<&RawValue>) -> u8 {
    let number = field.and_then(any_number);
    number.filter(|&number| number != 0.0).map_or(DEFAULT_PAGE, page)
}

/// A number, also one in a string.
fn any_number(value: &RawValue) -> Option<f64> {
    match Kind::of(value) {
        Kind::Number => number(value.get()),
        Kind::String => {
            json::string_bytes(value).and_then(|bytes| number(String::from_utf8(bytes).ok()?.trim()))
        }
        _ => None,
    }
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
