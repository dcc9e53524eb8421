//! Frames: what the host and the guest say to each other. Values pass as raw JSON; nothing in here looks inside them.

use std::borrow::Cow;
use std::fmt::Write;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::{Refusal, RouteError};
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
    /// As it came: it has not been made safe to print.
    pub(crate) message: Lossy,
    #[serde(default, deserialize_with = "text_if_any")]
    code: Option<Lossy>,
    #[serde(default, deserialize_with = "text_if_any")]
    name: Option<Lossy>,
    /// As it came; the guest leaves out what stands before its first line.
    #[serde(default, deserialize_with = "text_if_any")]
    stack: Option<Lossy>,
}

impl Thrown {
    pub(crate) fn stack(&self) -> &str {
        self.stack.as_ref().map_or("", |stack| &stack.0)
    }

    /// The host's refusal that a handler let through. As EmDash tells it: by `code`, else by `name`.
    pub(crate) fn route_error(&self) -> Option<RouteError> {
        let known = |text: &Option<Lossy>| RouteError::parse(&text.as_ref()?.0);
        match (known(&self.code), known(&self.name)) {
            (Some(code), Some(name)) if code != name => None,
            (code, name) => code.or(name),
        }
    }
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

/// An error's code can be of any kind; only texts mean something here.
fn text_if_any<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Lossy>, D::Error> {
    let value = <&RawValue>::deserialize(value)?;
    Ok(serde_json::from_str(value.get()).ok())
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

/// `{"result":7,"value":{…},"bytes":true}`: bytes have been left with the guest that belong into the value.
pub(crate) fn result_with_bytes(call: u64, value: &str) -> String {
    format!(r#"{{"result":{call},"value":{value},"bytes":true}}"#)
}

/// `{"result":7,"error":"…"}`, or `{"result":7,"error":{"code":"…","message":"…","status":503}}`.
pub(crate) fn refusal(call: u64, refusal: &Refusal) -> String {
    let mut frame = format!(r#"{{"result":{call},"error":"#);
    match refusal.route_error {
        None => push_json_string(&mut frame, &refusal.message),
        Some(error) => {
            // Writing to a String can't fail.
            let _ = write!(frame, r#"{{"code":"{}","message":"#, error.code());
            push_json_string(&mut frame, &refusal.message);
            let _ = write!(frame, r#","status":{}}}"#, RouteError::STATUS);
        }
    }
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
        assert_eq!(
            refusal(7, &"a \"b\"\n".into()),
            r#"{"result":7,"error":"a \"b\"\n"}"#
        );
    }

    #[test]
    fn a_refusal_with_a_code_is_an_object() {
        let refused = Refusal {
            message: "not \"now\"".into(),
            route_error: RouteError::parse("MEDIA_USAGE_ACTIVATION_IN_PROGRESS"),
        };
        assert_eq!(
            refusal(7, &refused),
            r#"{"result":7,"error":{"code":"MEDIA_USAGE_ACTIVATION_IN_PROGRESS","message":"not \"now\"","status":503}}"#
        );
    }

    #[test]
    fn only_the_two_codes_of_emdash_come_out_of_a_handler() {
        let route_error = |error: &str| {
            let text = format!(r#"{{"answer":1,"error":{{"message":"m",{error}}}}}"#);
            match Incoming::parse(&text) {
                Ok(Incoming::Answer {
                    outcome: Err(thrown), ..
                }) => thrown.route_error().map(RouteError::code),
                other => panic!("{other:?}"),
            }
        };
        let (busy, failed) = (
            "MEDIA_USAGE_ACTIVATION_IN_PROGRESS",
            "MEDIA_USAGE_ACTIVATION_CHECK_FAILED",
        );
        assert_eq!(
            route_error(&format!(r#""name":"Error","code":"{busy}""#)),
            Some(busy)
        );
        assert_eq!(route_error(&format!(r#""name":"{failed}""#)), Some(failed));
        assert_eq!(
            route_error(&format!(r#""name":"{failed}","code":"{busy}""#)),
            None
        );
        assert_eq!(route_error(r#""code":"ROUTE_ERROR""#), None);
        assert_eq!(route_error(r#""code":null"#), None);
        assert_eq!(route_error(r#""code":7,"name":"\ud800""#), None);
    }

    #[test]
    fn a_thrown_text_that_rust_cannot_hold_is_still_an_answer() {
        let Ok(Incoming::Answer {
            outcome: Err(thrown), ..
        }) = Incoming::parse(r#"{"answer":1,"error":{"message":"a\ud800"}}"#)
        else {
            panic!("not an answer")
        };
        assert!(thrown.message.0.starts_with('a'));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Incoming::parse(&text);
        }
    }
}
