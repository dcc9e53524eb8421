//! Objects.

use serde_json::value::RawValue;

use super::text::utf8;
use crate::bridge::BridgeError;
use crate::json::{self, Kind};

/// The last field of each of these names, as the host's `JSON.parse` sees it; `None` when it is not an object.
pub(super) fn pick<'a, const N: usize>(
    object: &'a RawValue,
    names: [&str; N],
) -> Option<[Option<&'a RawValue>; N]> {
    let mut picked = [None; N];
    let is_object = json::fields(object, |name, value| {
        if let Some(place) = names.iter().position(|wanted| wanted.as_bytes() == name) {
            picked[place] = Some(value);
        }
    });
    is_object.then_some(picked)
}

/// Checks that it is an object whose texts can be columns.
pub(super) fn content_fields(
    name: &'static str,
    data: &RawValue,
    wrong: BridgeError,
) -> Result<(), BridgeError> {
    let mut checked = Ok(());
    let is_object = json::fields(data, |_, value| {
        if checked.is_ok() && Kind::of(value) == Kind::String {
            checked = utf8(name, value, BridgeError::NotAString(name)).map(drop);
        }
    });
    if is_object { checked } else { Err(wrong) }
}

pub(super) fn is_email_message(message: &RawValue) -> bool {
    let is_string = |field: Option<&RawValue>| field.is_some_and(|field| Kind::of(field) == Kind::String);
    pick(message, ["to", "subject", "text", "html"]).is_some_and(|[to, subject, body, html]| {
        [to, subject, body].into_iter().all(is_string) && (html.is_none() || is_string(html))
    })
}

pub(super) fn is_order(value: &RawValue) -> bool {
    let mut only_directions = true;
    let is_object = json::fields(value, |_, direction| {
        // Compared as text: `"asc"` has no other spelling that JSON.stringify would make.
        only_directions &= matches!(direction.get(), r#""asc""# | r#""desc""#);
    });
    is_object && only_directions
}
