//! The kinds of parameter that operations take: what is accepted, and what the operation then gets.

mod list;
mod number;
mod read;
mod record;
mod text;

pub(super) use self::list::LARGEST_BATCH;
pub(super) use self::number::LARGEST_READ_BYTES;

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
///
/// [`MAX_KEY_BYTES`]: crate::limits::sizes::MAX_KEY_BYTES
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

/// Any JSON, no larger than a value may be; the operation gets the plugin's own text. JavaScript's `undefined` arrives as an absent field: an error.
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

/// How many bytes may be read, as text: `DEFAULT_READ_BYTES` when absent, [`LARGEST_READ_BYTES`] at most.
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
