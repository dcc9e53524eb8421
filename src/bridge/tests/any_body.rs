//! Whatever a plugin sends: nothing panics, and what passes says what the body said.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

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

fn any_method() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::all().collect::<Vec<_>>())
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
