//! Whole numbers: page sizes, bounds, values to compare with.

use serde_json::value::RawValue;

use crate::json::{self, Kind};

/// Bounds and default of a page of results, for content (EmDash's `ctx.content.list`) and storage alike.
const LARGEST_PAGE: u8 = 100;
const DEFAULT_PAGE: u8 = 50;

/// What `ctx.media.readBytes` reads by default and at most (EmDash's documentation of it).
const DEFAULT_READ_BYTES: i64 = 10 * 1024 * 1024;
pub(in crate::bridge) const LARGEST_READ_BYTES: i64 = 16 * 1024 * 1024;

pub(super) fn content_page(field: Option<&RawValue>) -> u8 {
    let number = field.and_then(any_number);
    number.filter(|&number| number != 0.0).map_or(DEFAULT_PAGE, page)
}

pub(super) fn query_page(field: Option<&RawValue>) -> u8 {
    let number = field
        .filter(|value| Kind::of(value) == Kind::Number)
        .and_then(|value| number(value.get()));
    number.map_or(DEFAULT_PAGE, page)
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
pub(super) fn integer(value: &RawValue) -> Option<i32> {
    let number = any_number(value)?;
    (number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number))
        .then_some(number as i32)
}

/// `None` when it is no whole number of these bounds.
pub(super) fn byte_limit(field: Option<&RawValue>) -> Option<i64> {
    let Some(value) = field else {
        return Some(DEFAULT_READ_BYTES);
    };
    integer(value)
        .map(i64::from)
        .filter(|limit| (1..=LARGEST_READ_BYTES).contains(limit))
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
