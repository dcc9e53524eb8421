//! Tests of the checks of a call.

mod any_body;
mod arguments;
mod refusals;
mod sizes;

use super::*;
use crate::limits::Wanted;

fn raw(json: &str) -> Box<RawValue> {
    serde_json::from_str(json).unwrap()
}

fn grants() -> Grants {
    Grants {
        capabilities: Capabilities::strict([
            "content:read",
            "content:write",
            "taxonomies:read",
            "media:read",
            "media:write",
            "users:read",
            "email:send",
        ]),
        collections: ["entries", "__proto__"].map(str::to_owned).into(),
        ..Grants::default()
    }
}

/// The arguments of a call that passes; "-" for an absent one.
fn args(method: &str, body: &str) -> Vec<String> {
    let operation =
        parse(method, &raw(body), &grants()).unwrap_or_else(|error| panic!("{method} {body}: {error}"));
    assert_eq!(operation.name(), method);
    operation
        .args
        .into_iter()
        .map(|arg| arg.unwrap_or_else(|| "-".to_owned()))
        .collect()
}

fn refusal(method: &str, body: &str) -> String {
    parse(method, &raw(body), &grants()).expect_err(body).to_string()
}
