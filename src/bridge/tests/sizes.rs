//! How much a call may bring.

use serde_json::json;

use super::*;

#[test]
fn a_key_that_is_written_is_short_and_one_that_is_only_read_may_be_of_any_length() {
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    for (method, body, parameter) in [
        ("kv/set", json!({ "key": long, "value": 1 }), "key"),
        (
            "storage/put",
            json!({ "collection": "entries", "id": long, "data": 1 }),
            "id",
        ),
        (
            "storage/putMany",
            json!({ "collection": "entries", "items": [{ "id": "a", "data": 1 }, { "id": long, "data": 1 }] }),
            "items[].id",
        ),
    ] {
        let expected = format!("Parameter {parameter} must be at most 1024 bytes long, not 1025");
        assert_eq!(refusal(method, &body.to_string()), expected);
        args(method, &body.to_string().replacen(&long, &long[1..], 1));
    }
    args("kv/get", &json!({ "key": long }).to_string());
    args("kv/delete", &json!({ "key": long }).to_string());
    args(
        "storage/getMany",
        &json!({ "collection": "entries", "ids": [long] }).to_string(),
    );
}

#[test]
fn a_value_is_counted_as_the_json_that_it_is_stored_as() {
    let value = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let body = |value: String| format!(r#"{{"collection":"entries","id":"a","data":{value}}}"#);
    args("storage/put", &body(value(MAX_VALUE_BYTES)));
    assert_eq!(
        refusal("storage/put", &body(value(MAX_VALUE_BYTES + 1))),
        "Parameter data must take at most 8 MiB as JSON"
    );
    let preset = Some("cloudflare".into());
    let limits = Limits::new(Wanted {
        preset,
        ..Wanted::default()
    })
    .unwrap();
    let strict = Grants {
        max_value: limits.max_value,
        ..grants()
    };
    let put = |bytes| parse("storage/put", &raw(&body(value(bytes))), &strict);
    assert!(put(2_000_000).is_ok());
    assert_eq!(
        put(2_000_001).unwrap_err().to_string(),
        "Parameter data must take at most 2 MB as JSON"
    );
}

#[test]
fn a_batch_has_a_hundred_elements_at_most() {
    let batch = |method: &str, name: &str, element: &str, size: usize| {
        let elements = vec![element; size].join(",");
        let body = format!(r#"{{"collection":"posts","{name}":[{elements}]}}"#);
        parse(method, &raw(&body), &grants())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for (method, name, element) in [
        ("content/createMany", "items", "{}"),
        ("content/updateMany", "items", r#"{"id":"a","data":{}}"#),
        ("content/deleteMany", "ids", r#""a""#),
    ] {
        assert_eq!(batch(method, name, element, 0), Ok(()));
        assert_eq!(batch(method, name, element, 100), Ok(()));
        let error = batch(method, name, element, 101).unwrap_err();
        assert_eq!(error, "Batch size 101 exceeds maximum of 100");
    }
}

#[test]
fn deep_and_large_bodies_are_answered() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(
        args("kv/set", &format!(r#"{{"key":"k","value":{deep}}}"#))[1],
        deep
    );
    let body = format!(r#"{{"collection":"entries","ids":{deep}}}"#);
    assert_eq!(
        refusal("storage/getMany", &body),
        "Parameter ids must be an array of strings"
    );
    let large = "x".repeat(1 << 20);
    assert_eq!(
        args("kv/get", &format!(r#"{{"key":"{large}"}}"#)),
        [large.as_str()]
    );
    assert_eq!(
        refusal(&large, "{}").len(),
        "Unknown bridge method: ".len() + large.len()
    );
}
