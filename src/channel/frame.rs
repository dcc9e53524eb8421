//! Frames: what the host and the guest say to each other. Values pass as raw JSON; nothing in here looks inside them.

use std::borrow::Cow;
use std::fmt::Write;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json::Lossy;

/// What the guest said. All of it may be a hostile plugin's words.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// The plugin is loaded; these are its own hooks and routes.
    Ready { hooks: Vec<String>, routes: Vec<String> },
    /// The plugin threw while it loaded.
    Broken { reason: String },
    /// A `ctx` call. Call 0 wants no answer.
    Call {
        call: u64,
        invocation: u64,
        method: Cow<'a, str>,
        body: &'a RawValue,
    },
    /// An invocation's answer; no value is `undefined`.
    Answer {
        invocation: u64,
        outcome: Result<Option<&'a RawValue>, Thrown>,
    },
}

/// What a handler threw.
#[derive(Debug, Deserialize)]
pub(crate) struct Thrown {
    pub(crate) message: Lossy,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame that the guest's own code would not send")]
pub(crate) struct FrameError;

/// Every field that a frame can have. Tagged enums of serde can't hold raw values, so the tag is read by hand below.
#[derive(Deserialize)]
struct Fields<'a> {
    ready: Option<Names>,
    broken: Option<Lossy>,
    call: Option<u64>,
    invocation: Option<u64>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    answer: Option<u64>,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    error: Option<Thrown>,
}

/// Serde takes `null` for absent in an Option, also of raw values. Here it is a value.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

#[derive(Deserialize)]
struct Names {
    hooks: Vec<Lossy>,
    routes: Vec<Lossy>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, FrameError> {
        match serde_json::from_str(text).map_err(|_| FrameError)? {
            Fields {
                answer: Some(invocation),
                error: None,
                value,
                ..
            } => Ok(Self::Answer {
                invocation,
                outcome: Ok(value),
            }),
            Fields {
                answer: Some(invocation),
                error: Some(thrown),
                ..
            } => Ok(Self::Answer {
                invocation,
                outcome: Err(thrown),
            }),
            Fields {
                call: Some(call),
                invocation: Some(invocation),
                method: Some(method),
                body: Some(body),
                ..
            } => Ok(Self::Call {
                call,
                invocation,
                method,
                body,
            }),
            Fields {
                ready: Some(Names { hooks, routes }),
                ..
            } => Ok(Self::Ready {
                hooks: plain(hooks),
                routes: plain(routes),
            }),
            Fields {
                broken: Some(reason), ..
            } => Ok(Self::Broken { reason: reason.0 }),
            _ => Err(FrameError),
        }
    }
}

fn plain(names: Vec<Lossy>) -> Vec<String> {
    names.into_iter().map(|name| name.0).collect()
}

/// `{"invoke":1,"hook":"…","payload":{…}}`. `field` is `hook` or `route`; `payload` is JSON text that the host made.
pub(crate) fn invoke(invocation: u64, field: &str, name: &str, payload: &str) -> String {
    let mut frame = String::with_capacity(payload.len() + name.len() + 64);
    // Writing to a String can't fail.
    let _ = write!(frame, r#"{{"invoke":{invocation},"{field}":"#);
    push_json_string(&mut frame, name);
    frame.push_str(r#","payload":"#);
    frame.push_str(payload);
    frame.push('}');
    frame
}

/// `{"result":7,"value":…}`, without a value for `undefined`. `value` must be JSON text.
pub(crate) fn result(call: u64, value: Option<&str>) -> String {
    match value {
        Some(value) => format!(r#"{{"result":{call},"value":{value}}}"#),
        None => format!(r#"{{"result":{call}}}"#),
    }
}

/// `{"result":7,"error":"…"}`.
pub(crate) fn refusal(call: u64, message: &str) -> String {
    let mut frame = format!(r#"{{"result":{call},"error":"#);
    push_json_string(&mut frame, message);
    frame.push('}');
    frame
}

/// `{"stored":3}`: frame 3 has been left with the guest.
pub(crate) fn stored(number: u64) -> String {
    format!(r#"{{"stored":{number}}}"#)
}

fn push_json_string(frame: &mut String, text: &str) {
    // A str is always a JSON string: this can't fail.
    frame.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_pass_unread() {
        let Ok(Incoming::Answer {
            invocation: 3,
            outcome: Ok(Some(value)),
        }) = Incoming::parse(r#"{"answer":3,"value":{"a": [1e400,"\ud800"]}}"#)
        else {
            panic!("not an answer")
        };
        assert_eq!(value.get(), r#"{"a": [1e400,"\ud800"]}"#);
    }

    #[test]
    fn an_answer_without_a_value_is_undefined_and_null_is_null() {
        assert!(matches!(
            Incoming::parse(r#"{"answer":1}"#),
            Ok(Incoming::Answer {
                outcome: Ok(None),
                ..
            })
        ));
        let Ok(Incoming::Answer {
            outcome: Ok(value), ..
        }) = Incoming::parse(r#"{"answer":1,"value":null}"#)
        else {
            panic!("not an answer")
        };
        assert_eq!(value.map(RawValue::get), Some("null"));
    }

    #[test]
    fn half_a_character_in_words_is_no_offence() {
        let Ok(Incoming::Answer {
            outcome: Err(thrown), ..
        }) = Incoming::parse(r#"{"answer":1,"error":{"message":"a\ud800b"}}"#)
        else {
            panic!("not an error")
        };
        assert!(thrown.message.0.starts_with('a') && thrown.message.0.ends_with('b'));
        let ready = Incoming::parse(r#"{"ready":{"hooks":["\udc00"],"routes":[]}}"#);
        assert!(matches!(ready, Ok(Incoming::Ready { hooks, .. }) if hooks.len() == 1));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"answer":-1}"#,
            r#"{"answer":1.5}"#,
            r#"{"answer":"1"}"#,
            r#"{"call":1,"method":"kv/get","body":{}}"#,
            r#"{"call":1,"invocation":1,"method":7,"body":{}}"#,
            r#"{"answer":1,"answer":2}"#,
            r#"{"stored":1}"#,
        ] {
            assert!(Incoming::parse(text).is_err(), "{text} was taken for a frame");
        }
    }

    #[test]
    fn names_are_data_in_what_the_host_says() {
        assert_eq!(
            invoke(1, "hook", "a\",\"payload\":1,\"x\":\"\u{0}", r#"{"event":1}"#),
            r#"{"invoke":1,"hook":"a\",\"payload\":1,\"x\":\"\u0000","payload":{"event":1}}"#
        );
        assert_eq!(result(7, None), r#"{"result":7}"#);
        assert_eq!(result(7, Some("null")), r#"{"result":7,"value":null}"#);
        assert_eq!(refusal(7, "a \"b\"\n"), r#"{"result":7,"error":"a \"b\"\n"}"#);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Incoming::parse(&text);
        }
    }
}
