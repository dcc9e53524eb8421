//! The exact text of every refusal, and which of two comes first.

use serde_json::json;

use super::*;

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
    let passes = |method, body| parse(method, &raw(body), &grants).is_ok();
    assert!(passes("content/get", r#"{"collection":"a","id":"b"}"#));
    assert!(passes("storage/get", r#"{"collection":"entries","id":"b"}"#));
    assert!(!passes("storage/get", r#"{"collection":"entrie","id":"b"}"#));
}
