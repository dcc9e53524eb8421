//! From a field of a call's body to an operation's argument, or the reason why it is none.

use serde_json::value::RawValue;

use super::list::{batch, list};
use super::number::{byte_limit, content_page, integer, query_page};
use super::record::{content_fields, is_email_message, is_order, pick};
use super::text::{is_bytes, is_collection_name, required_string, short_enough, small_enough, text, utf8};
use super::{Accepts, Param};
use crate::bridge::BridgeError;
use crate::json::{self, Kind};

/// The one option of `content.create`.
const LOCALE: &str = "locale";

/// As errors name what is in an item.
const ITEM_ID: &str = "items[].id";
const ITEM_DATA: &str = "items[].data";

impl Param {
    /// Checks the body's field of this name and makes it the operation's argument. `max_value` bounds what is stored, in
    /// bytes.
    pub(in crate::bridge) fn read(
        &self,
        field: Option<&RawValue>,
        max_value: usize,
    ) -> Result<Option<String>, BridgeError> {
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
                Some(value) => small_enough(name, value, max_value).map(|()| text(value)),
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
                small_enough(ITEM_DATA, data, max_value)
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
            Accepts::ByteLimit => byte_limit(field)
                .map(|limit| Some(limit.to_string()))
                .ok_or(BridgeError::NotAByteLimit(name)),
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
