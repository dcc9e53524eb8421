//! Reading JSON without building it: kinds, single fields and elements of a raw value, as `JSON.parse` would see them.
//!
//! What these functions look at may be megabytes of a hostile plugin's words. So nothing here recurses, and nothing is
//! allocated but the text of a string that is asked for.
use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The kind of `value`, told from its first character.
    pub(crate) fn of(value: &RawValue) -> Self {
        match value.get().as_bytes().first() {
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }
}

impl fmt::Display for Kind {
    /// With its article, for the end of "must be …, not …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// The text of a JSON string as bytes: UTF-8, unless it holds an unpaired surrogate (`"\ud800"`), which JavaScript's
/// strings can and Rust's cannot; then WTF-8.
///
/// `None` when the value is not a string.
pub(crate) fn string_bytes(value: &RawValue) -> Option<Vec<u8>> {
    // Asked first, because serde_json reads an array of numbers as bytes, too.
    if Kind::of(value) != Kind::String {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(value.get());
    Text::deserialize(&mut reader)
        .ok()
        .map(|text| text.0.into_owned())
}

/// Calls `each` with every field of an object, in order. A name may come twice: for `JSON.parse` the last one counts.
///
/// Names are bytes for the reason that [`string_bytes`] gives. False when the value is not an object.
pub(crate) fn fields<'a>(value: &'a RawValue, each: impl FnMut(&[u8], &'a RawValue)) -> bool {
    let mut reader = serde_json::Deserializer::from_str(value.get());
    Kind::of(value) == Kind::Object && reader.deserialize_map(Fields(each)).is_ok()
}

/// Calls `each` with every element of an array, in order. False when the value is not an array.
pub(crate) fn elements<'a>(value: &'a RawValue, each: impl FnMut(&'a RawValue)) -> bool {
    let mut reader = serde_json::Deserializer::from_str(value.get());
    Kind::of(value) == Kind::Array && reader.deserialize_seq(Elements(each)).is_ok()
}

/// How much a JSON text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// About how many values: its brackets and commas outside of strings. Never fewer than half of them.
    pub(crate) values: usize,
    /// How many arrays and objects stand in each other.
    pub(crate) depth: usize,
}

pub(crate) fn extent(text: &str) -> Extent {
    let mut extent = Extent { values: 0, depth: 0 };
    let (mut open, mut rest) = (0_usize, text.as_bytes());
    while let [byte, following @ ..] = rest {
        rest = following;
        match byte {
            b'"' => rest = after_string(following),
            b',' => extent.values += 1,
            b'[' | b'{' => {
                extent.values += 1;
                open += 1;
                extent.depth = extent.depth.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    extent
}

/// What follows the string that `inside` begins in. Most of a site's JSON is strings, so they are skipped by vectors.
fn after_string(mut inside: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', inside) {
        if inside[at] == b'"' {
            return &inside[at + 1..];
        }
        inside = inside.get(at + 2..).unwrap_or_default();
    }
    &[]
}

/// A string in which half a character is no error: it becomes U+FFFD. For what is read by people only, and for names,
/// which then are nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lossy(pub(crate) String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not from an array of numbers, which serde_json reads as bytes, too.
        let value = <&RawValue>::deserialize(deserializer)?;
        let bytes = string_bytes(value).ok_or_else(|| serde::de::Error::custom("not a string"))?;
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

struct Text<'de>(Cow<'de, [u8]>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(bytes)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(bytes.to_vec())))
    }
}

struct Fields<F>(F);

impl<'de, F: FnMut(&[u8], &'de RawValue)> Visitor<'de> for Fields<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            (self.0)(&name.0, value);
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<&'de RawValue>()? {
            (self.0)(value);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
