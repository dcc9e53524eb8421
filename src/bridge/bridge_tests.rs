//! Tests of the checks of a call: what passes and as what, and the exact text of every refusal.
use super::*;
use crate::limits::Wanted;
use proptest::prelude::*;
use serde_json::{Value, json};

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
fn how_much_of_a_file_is_read_has_a_default_and_a_bound() {
    let reader = Grants {
        capabilities: Capabilities::strict(["media:bytes:read".to_owned()]),
        ..Grants::default()
    };
    let limit = |more: &str| {
        let operation = parse(
            "media/readBytes",
            &raw(&format!(r#"{{"id":"1"{more}}}"#)),
            &reader,
        );
        operation.map(|operation| operation.args[1].clone().unwrap()).ok()
    };
    assert_eq!(limit("").as_deref(), Some("10485760"));
    assert_eq!(limit(r#","maxBytes":1"#).as_deref(), Some("1"));
    assert_eq!(limit(r#","maxBytes":16777216"#).as_deref(), Some("16777216"));
    for refused in ["16777217", "0", "-1", "1.5", "1e99", "true"] {
        assert_eq!(limit(&format!(r#","maxBytes":{refused}"#)), None, "{refused}");
    }
}

#[test]
#[rustfmt::skip]
fn strings_arrive_as_themselves_and_the_rest_as_the_plugins_own_json() {
    for (method, body, expected) in [
        ("kv/get", r#"{"key":"a\u0062\n\"🦀"}"#, vec!["ab\n\"🦀"]),
        (
            "kv/set",
            r#" {"key":"k","value":{ "a" : [1.0,"\ud800"] } } "#,
            vec!["k", r#"{ "a" : [1.0,"\ud800"] }"#],
        ),
        ("kv/set", r#"{"key":"","value":null}"#, vec!["", "null"]),
        ("kv/delete", r#"{"key":"__proto__","__proto__":{"key":7},"more":1}"#, vec!["__proto__"]),
        ("kv/list", "{}", vec![""]),
        ("kv/list", r#"{"prefix":"b_%"}"#, vec!["b_%"]),
        ("storage/get", r#"{"collection":"entries","id":"__proto__"}"#, vec!["entries", "__proto__"]),
        ("storage/exists", r#"{"collection":"__proto__","id":""}"#, vec!["__proto__", ""]),
        ("storage/put", r#"{"collection":"entries","id":"1","data":false}"#, vec!["entries", "1", "false"]),
        ("storage/delete", r#"{"id":"1","collection":"entries"}"#, vec!["entries", "1"]),
        ("storage/query", r#"{"collection":"entries"}"#, vec!["entries", "-", "-", "50", "-"]),
        (
            "storage/query",
            r#"{"collection":"entries","where":{"a":{"gt":1}},"orderBy":{"b":"asc","a":"desc"},"limit":7,"cursor":"c"}"#,
            vec!["entries", r#"{"a":{"gt":1}}"#, r#"{"b":"asc","a":"desc"}"#, "7", "c"],
        ),
        (
            "storage/query",
            r#"{"collection":"entries","orderBy":{},"cursor":null}"#,
            vec!["entries", "-", "{}", "50", "-"],
        ),
        ("storage/count", r#"{"collection":"entries","where":{}}"#, vec!["entries", "{}"]),
        ("storage/count", r#"{"collection":"entries"}"#, vec!["entries", "-"]),
        (
            "storage/getMany",
            r#"{"collection":"entries","ids":["a","__proto__"]}"#,
            vec!["entries", r#"["a","__proto__"]"#],
        ),
        ("storage/deleteMany", r#"{"collection":"entries","ids":[]}"#, vec!["entries", "[]"]),
        (
            "storage/putMany",
            r#"{"collection":"entries","items":[{"id":"a","data":null,"x":1}]}"#,
            vec!["entries", r#"[{"id":"a","data":null,"x":1}]"#],
        ),
        ("content/get", r#"{"collection":"posts_2","id":"01H"}"#, vec!["posts_2", "01H"]),
        ("content/list", r#"{"collection":"posts","limit":"10","cursor":7}"#, vec!["posts", "10", "-"]),
        (
            "content/create",
            r#"{"collection":"posts","data":{"title":"a","tags":["\u0000"]}}"#,
            vec!["posts", r#"{"title":"a","tags":["\u0000"]}"#, "-"],
        ),
        ("content/create", r#"{"collection":"posts","data":{},"options":{}}"#, vec!["posts", "{}", "-"]),
        (
            "content/create",
            r#"{"collection":"posts","data":{},"options":{"locale":"de","more":1}}"#,
            vec!["posts", "{}", "de"],
        ),
        ("content/update", r#"{"collection":"posts","id":"1","data":{"a":null}}"#, vec!["posts", "1", r#"{"a":null}"#]),
        ("content/delete", r#"{"collection":"posts","id":"1"}"#, vec!["posts", "1"]),
        ("content/createMany", r#"{"collection":"posts","items":[{},{"a":1}]}"#, vec!["posts", r#"[{},{"a":1}]"#]),
        (
            "content/updateMany",
            r#"{"collection":"posts","items":[{"id":"1","data":{}}]}"#,
            vec!["posts", r#"[{"id":"1","data":{}}]"#],
        ),
        ("content/deleteMany", r#"{"collection":"posts","ids":["1"]}"#, vec!["posts", r#"["1"]"#]),
        ("taxonomy/list", "{}", vec!["-"]),
        ("taxonomy/list", r#"{"locale":"de"}"#, vec!["de"]),
        ("taxonomy/terms", r#"{"taxonomy":"tag"}"#, vec!["tag", "-"]),
        (
            "taxonomy/entryTerms",
            r#"{"collection":"posts","entryId":"1","taxonomy":"tag","locale":""}"#,
            vec!["posts", "1", "tag", ""],
        ),
        ("media/get", r#"{"id":"1"}"#, vec!["1"]),
        ("media/list", r#"{"mimeType":null,"limit":7}"#, vec!["-", "7", "-"]),
        ("media/list", r#"{"mimeType":"image/","cursor":"c"}"#, vec!["image/", "50", "c"]),
        ("media/delete", r#"{"id":"1"}"#, vec!["1"]),
        ("users/get", r#"{"id":"1"}"#, vec!["1"]),
        ("users/getByEmail", r#"{"email":"A@b.c"}"#, vec!["A@b.c"]),
        ("users/list", "{}", vec!["-", "50", "-"]),
        ("users/list", r#"{"role":50,"limit":1,"cursor":"c"}"#, vec!["50", "1", "c"]),
        ("users/list", r#"{"role":" 5e1 "}"#, vec!["50", "50", "-"]),
        (
            "email/send",
            r#"{"message":{"to":"a","subject":"","text":"\ud800","html":"h"}}"#,
            vec![r#"{"to":"a","subject":"","text":"\ud800","html":"h"}"#],
        ),
        ("log", r#"{"level":"warn","msg":"a\ud800"}"#, vec!["warn", "a\u{fffd}\u{fffd}\u{fffd}", "-"]),
        ("log", r#"{"level":"info","msg":"","data":[1]}"#, vec!["info", "", "[1]"]),
    ] {
        assert_eq!(args(method, body), expected, "{method} {body}");
    }
}

#[test]
fn of_a_field_given_twice_the_last_counts_in_the_body_and_in_an_item() {
    assert_eq!(args("kv/get", r#"{"key":7,"\u006bey":"b"}"#), ["b"]);
    assert_eq!(
        refusal("kv/get", r#"{"key":"a","key":7}"#),
        "Missing required string parameter: key"
    );
    let item = refusal(
        "storage/putMany",
        r#"{"collection":"entries","items":[{"id":"a","id":7,"data":1}]}"#,
    );
    assert_eq!(
        item,
        "Parameter items must be an array of { id: string, data } items"
    );
}

#[test]
#[rustfmt::skip]
fn each_refusal_has_its_text() {
    const ITEMS: &str = "Parameter items must be an array of { id: string, data } items";
    const ORDER: &str = r#"Parameter orderBy must be an object mapping field to "asc"|"desc""#;
    const UPDATES: &str = "Parameter items must be an array of { id: string, data: object } items";
    const EMAIL: &str = "email/send requires message with to, subject, and text";
    const LEVEL: &str = "Parameter level must be one of: debug, info, warn, error";
    const BODY: &str = "The body of a bridge call must be a JSON object";
    for (method, body, expected) in [
        ("kv/nope", "{}", "Unknown bridge method: kv/nope"),
        ("", "[]", "Unknown bridge method: "),
        ("KV/get", "{}", "Unknown bridge method: KV/get"),
        ("kv/get", "[]", BODY),
        ("kv/get", r#""key""#, BODY),
        ("content/get", "null", BODY),
        ("kv/get", "{}", "Missing required string parameter: key"),
        ("kv/get", r#"{"key":null}"#, "Missing required string parameter: key"),
        ("kv/get", r#"{"key":[97]}"#, "Missing required string parameter: key"),
        ("kv/get", r#"{"key":"\udc00"}"#, "Parameter key must not contain an unpaired surrogate"),
        ("kv/get", r#"{"key":"a\u0000"}"#, "Parameter key must not contain NUL"),
        ("storage/getMany", r#"{"collection":"entries","ids":["a","\u0000"]}"#, "Parameter ids must not contain NUL"),
        ("kv/set", r#"{"key":"a"}"#, "Missing required parameter: value"),
        ("kv/set", r#"{"value":1}"#, "Missing required string parameter: key"),
        ("kv/list", r#"{"prefix":null}"#, "Parameter prefix must be a string when provided"),
        ("kv/list", r#"{"prefix":7}"#, "Parameter prefix must be a string when provided"),
        ("storage/get", r#"{"id":"a"}"#, "Missing required string parameter: collection"),
        ("storage/get", r#"{"collection":"other"}"#, "Storage collection not declared: other"),
        (
            "storage/get",
            r#"{"collection":"constructor","id":"a"}"#,
            "Storage collection not declared: constructor",
        ),
        ("storage/get", r#"{"collection":"entries"}"#, "Missing required string parameter: id"),
        ("storage/put", r#"{"collection":"entries","id":"a"}"#, "Missing required parameter: data"),
        (
            "storage/query",
            r#"{"collection":"entries","where":null}"#,
            "Parameter where must be an object when provided",
        ),
        (
            "storage/count",
            r#"{"collection":"entries","where":[]}"#,
            "Parameter where must be an object when provided",
        ),
        ("storage/query", r#"{"collection":"entries","orderBy":null}"#, ORDER),
        ("storage/query", r#"{"collection":"entries","orderBy":["asc"]}"#, ORDER),
        ("storage/query", r#"{"collection":"entries","orderBy":{"a":"ASC"}}"#, ORDER),
        ("storage/query", r#"{"collection":"entries","orderBy":{"a":"asc","b":1}}"#, ORDER),
        (
            "storage/query",
            r#"{"collection":"entries","cursor":"\ud800"}"#,
            "Parameter cursor must not contain an unpaired surrogate",
        ),
        ("storage/getMany", r#"{"collection":"entries"}"#, "Parameter ids must be an array of strings"),
        (
            "storage/getMany",
            r#"{"collection":"entries","ids":{"0":"a"}}"#,
            "Parameter ids must be an array of strings",
        ),
        (
            "storage/deleteMany",
            r#"{"collection":"entries","ids":["a",1]}"#,
            "Parameter ids must be an array of strings",
        ),
        (
            "storage/deleteMany",
            r#"{"collection":"entries","ids":["\ud800"]}"#,
            "Parameter ids must not contain an unpaired surrogate",
        ),
        ("storage/putMany", r#"{"collection":"entries"}"#, ITEMS),
        ("storage/putMany", r#"{"collection":"entries","items":["a"]}"#, ITEMS),
        ("storage/putMany", r#"{"collection":"entries","items":[{"id":"a"}]}"#, ITEMS),
        ("storage/putMany", r#"{"collection":"entries","items":[{"id":1,"data":1}]}"#, ITEMS),
        ("content/get", r#"{"id":"a"}"#, "Missing required string parameter: collection"),
        ("content/get", r#"{"collection":"posts"}"#, "Missing required string parameter: id"),
        ("content/create", r#"{"collection":"posts"}"#, "Missing required object parameter: data"),
        ("content/create", r#"{"collection":"posts","data":[]}"#, "Missing required object parameter: data"),
        (
            "content/create",
            r#"{"collection":"posts","data":{"a":"\u0000"}}"#,
            "Parameter data must not contain NUL",
        ),
        (
            "content/create",
            r#"{"collection":"posts","data":{"a":"\ud800"}}"#,
            "Parameter data must not contain an unpaired surrogate",
        ),
        (
            "content/create",
            r#"{"collection":"posts","data":{},"options":null}"#,
            "Parameter options must be an object when provided",
        ),
        (
            "content/create",
            r#"{"collection":"posts","data":{},"options":{"locale":null}}"#,
            "Parameter locale must be a string when provided",
        ),
        ("content/update", r#"{"collection":"posts","data":{}}"#, "Missing required string parameter: id"),
        ("content/update", r#"{"collection":"posts","id":"1","data":"x"}"#, "Missing required object parameter: data"),
        ("content/delete", r#"{"collection":"Posts","id":"1"}"#, "Invalid collection name: Posts"),
        ("content/createMany", r#"{"collection":"posts"}"#, "Parameter items must be an array of objects"),
        ("content/createMany", r#"{"collection":"posts","items":[{},1]}"#, "Parameter items must be an array of objects"),
        ("content/updateMany", r#"{"collection":"posts","items":{}}"#, UPDATES),
        ("content/updateMany", r#"{"collection":"posts","items":[{"id":"1"}]}"#, UPDATES),
        ("content/updateMany", r#"{"collection":"posts","items":[{"id":1,"data":{}}]}"#, UPDATES),
        ("content/updateMany", r#"{"collection":"posts","items":[{"id":"1","data":[]}]}"#, UPDATES),
        ("content/deleteMany", r#"{"collection":"posts","ids":[1]}"#, "Parameter ids must be an array of strings"),
        ("taxonomy/list", r#"{"locale":null}"#, "Parameter locale must be a string when provided"),
        ("taxonomy/terms", "{}", "Missing required string parameter: taxonomy"),
        ("taxonomy/entryTerms", r#"{"collection":"posts"}"#, "Missing required string parameter: entryId"),
        ("media/get", "{}", "Missing required string parameter: id"),
        ("users/getByEmail", r#"{"email":7}"#, "Missing required string parameter: email"),
        ("users/list", r#"{"role":null}"#, "Parameter role must be a whole number when provided"),
        ("users/list", r#"{"role":1.5}"#, "Parameter role must be a whole number when provided"),
        ("users/list", r#"{"role":"admin"}"#, "Parameter role must be a whole number when provided"),
        ("users/list", r#"{"role":1e10}"#, "Parameter role must be a whole number when provided"),
        ("email/send", "{}", EMAIL),
        ("email/send", r#"{"message":[]}"#, EMAIL),
        ("email/send", r#"{"message":{"to":"a","subject":"b"}}"#, EMAIL),
        ("email/send", r#"{"message":{"to":"a","subject":"b","text":"c","html":null}}"#, EMAIL),
        ("log", "{}", LEVEL),
        ("log", r#"{"level":"trace","msg":""}"#, LEVEL),
        ("log", r#"{"level":["info"],"msg":""}"#, LEVEL),
        ("log", r#"{"level":"info","msg":{}}"#, "Missing required string parameter: msg"),
    ] {
        assert_eq!(refusal(method, body), expected, "{method} {body}");
    }
}

#[test]
fn a_content_collection_must_be_a_plain_name() {
    for name in [
        "", "Posts", "1a", "_a", "a-b", "a b", "a\n", "a;drop", "é", "posté",
    ] {
        let body = json!({"collection": name, "id": "x"}).to_string();
        assert_eq!(
            refusal("content/get", &body),
            format!("Invalid collection name: {name}")
        );
    }
    for name in ["a", "a_", "a9", "zz_9_z"] {
        assert_eq!(
            args("content/get", &json!({"collection": name, "id": "x"}).to_string()),
            [name, "x"]
        );
    }
}

#[test]
fn a_missing_capability_is_told_before_parameters_and_by_todays_name() {
    let none = Grants::default();
    for body in ["{}", r#"{"collection":"BAD"}"#] {
        let error = parse("content/list", &raw(body), &none).unwrap_err();
        assert_eq!(error.to_string(), "Missing capability: content:read");
    }
    let write_only = Grants {
        capabilities: Capabilities::strict(["write:content"]),
        ..Grants::default()
    };
    assert!(parse("content/get", &raw(r#"{"collection":"a","id":"b"}"#), &write_only).is_err());
}

#[test]
fn the_grants_of_a_manifest_are_its_capabilities_and_collections() {
    let text = r#"{"id":"a","version":"1","capabilities":["write:content"],"storage":{"entries":{}}}"#;
    let grants = Grants::new(
        &Manifest::parse(text).unwrap(),
        &Limits::new(Wanted::default()).unwrap(),
    );
    assert!(parse("content/get", &raw(r#"{"collection":"a","id":"b"}"#), &grants).is_ok());
    assert!(
        parse(
            "storage/get",
            &raw(r#"{"collection":"entries","id":"b"}"#),
            &grants
        )
        .is_ok()
    );
    assert!(
        parse(
            "storage/get",
            &raw(r#"{"collection":"entrie","id":"b"}"#),
            &grants
        )
        .is_err()
    );
}

#[test]
#[rustfmt::skip]
fn a_limit_becomes_a_whole_number_of_1_to_100() {
    let limit = |method: &str, value: &str, place: usize| {
        args(method, &format!(r#"{{"collection":"entries","limit":{value}}}"#)).swap_remove(place)
    };
    for (value, content, query) in [
        ("1", "1", "1"),
        ("99", "99", "99"),
        ("100", "100", "100"),
        ("101", "100", "100"),
        ("1e999", "100", "100"),
        ("1.5", "1", "1"),
        ("99.9", "99", "99"),
        ("0.5", "1", "1"),
        ("0", "50", "1"),
        ("-0.0", "50", "1"),
        ("-7", "1", "1"),
        ("-1e999", "1", "1"),
        ("1e-999", "50", "1"),
        ("null", "50", "50"),
        ("true", "50", "50"),
        ("{}", "50", "50"),
        ("[7]", "50", "50"),
        (r#""7""#, "7", "50"),
        (r#"" 7.9\n""#, "7", "50"),
        (r#""1e1""#, "10", "50"),
        (r#""-3""#, "1", "50"),
        (r#""""#, "50", "50"),
        (r#""0""#, "50", "50"),
        (r#""ten""#, "50", "50"),
        (r#""nan""#, "50", "50"),
        (r#""inf""#, "50", "50"),
        (r#""\ud800""#, "50", "50"),
    ] {
        assert_eq!(limit("content/list", value, 1), content, "content/list {value}");
        assert_eq!(limit("storage/query", value, 3), query, "storage/query {value}");
    }
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

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["entries", "posts", "asc", "desc", "info", "a"]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..4).prop_map(object),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let known = vec![
        "key",
        "value",
        "prefix",
        "collection",
        "id",
        "data",
        "where",
        "orderBy",
        "limit",
        "cursor",
        "ids",
        "items",
        "level",
        "msg",
        "locale",
        "options",
        "role",
        "message",
        "mimeType",
        "__proto__",
        "constructor",
    ];
    prop_oneof![6 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<String>()]
}

fn object(fields: Vec<(String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect())
}

/// A body that often passes: fields by their right names, often with the right kind of value.
fn likely_body() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![3 => any::<String>().prop_map(Value::from), 1 => any_value()];
    let one_of = |choices: Vec<&'static str>| prop::sample::select(choices).prop_map(Value::from);
    let ids = prop::collection::vec(text(), 0..3).prop_map(Value::from);
    let items = prop::collection::vec((text(), any_value()), 0..3).prop_map(|items| {
        items
            .into_iter()
            .map(|(id, data)| json!({"id": id, "data": data}))
            .collect::<Value>()
    });
    let fields = (
        (
            text(),
            any_value(),
            text(),
            one_of(vec!["entries", "__proto__", "posts"]),
        ),
        (text(), any_value(), any_value(), ids, items),
        (one_of(vec!["info", "error", "trace"]), text()),
    );
    (fields, any_value(), prop::collection::vec((any_name(), any_value()), 0..2)).prop_map(|(fields, limit, more)| {
        let ((key, value, prefix, collection), (id, data, filter, ids, items), (level, msg)) = fields;
        let mut body = json!({
            "key": key, "value": value, "prefix": prefix, "collection": collection, "id": id, "data": data,
            "ids": ids, "items": items, "level": level, "msg": msg, "limit": limit,
        });
        if filter.is_object() {
            body["where"] = filter;
        }
        for (name, value) in more {
            body[name] = value;
        }
        body
    })
}

fn any_method() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::all().collect::<Vec<_>>())
}

/// Each argument says what the body said: itself if it is a string, its very text otherwise.
fn assert_faithful(operation: &Operation, body: &Value) {
    let params = operation.method.row().params;
    assert_eq!(params.len(), operation.args.len());
    for (param, arg) in params.iter().zip(&operation.args) {
        match (param.name, body.get(param.name), arg) {
            ("limit", _, Some(arg)) => assert!((1..=100).contains(&arg.parse::<u8>().unwrap())),
            ("prefix", None, Some(arg)) => assert_eq!(arg, ""),
            ("cursor" | "mimeType", Some(value), None) => assert!(!value.is_string()),
            ("options", Some(value), arg) => assert_eq!(arg.as_deref(), value["locale"].as_str()),
            ("role", Some(_), Some(arg)) => assert!(arg.parse::<i32>().is_ok()),
            ("value" | "data", Some(value), Some(arg)) => assert_eq!(arg, &value.to_string()),
            (_, Some(Value::String(text)), Some(arg)) => assert_eq!(arg, text),
            (_, Some(value), Some(arg)) => assert_eq!(arg, &value.to_string()),
            (_, None, None) => {}
            (name, value, arg) => panic!("{name}: {value:?} became {arg:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_body_panics(method in any_method(), body in any_value()) {
        if let Ok(operation) = parse(method.name(), &raw(&body.to_string()), &grants()) {
            assert_faithful(&operation, &body);
        }
    }

    #[test]
    fn accepted_calls_say_what_their_body_said(method in any_method(), body in likely_body()) {
        if let Ok(operation) = parse(method.name(), &raw(&body.to_string()), &grants()) {
            prop_assert_eq!(operation.method, method);
            assert_faithful(&operation, &body);
        }
    }

    #[test]
    fn no_method_name_panics(name in any::<String>()) {
        let known = Method::parse(&name).is_some();
        let passes = parse(&name, &raw("{}"), &grants()).is_ok();
        prop_assert!(known || !passes);
    }

    #[test]
    fn only_declared_collections_and_plain_names_ever_pass(method in any_method(), collection in "\\PC{0,6}|[a-z_]{1,8}") {
        let body = json!({"collection": collection, "id": "", "data": {}, "ids": [], "items": []});
        let passed = parse(method.name(), &raw(&body.to_string()), &grants()).is_ok();
        match method.row().needs {
            Need::DeclaredCollection => prop_assert_eq!(passed, grants().collections.contains(&collection)),
            Need::Capability(_) if method.name().starts_with("content/") => prop_assert_eq!(
                passed,
                collection.starts_with(|c: char| c.is_ascii_lowercase())
                    && collection.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'))
            ),
            Need::Capability(_) | Need::Nothing => {}
        }
    }
}
