//! Tests of what a manifest may be, and of what its errors say.
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn error(manifest: Value) -> String {
    Manifest::parse(&manifest.to_string()).unwrap_err().to_string()
}

#[test]
fn a_full_manifest_is_read_and_what_we_do_not_use_is_ignored() {
    let manifest = Manifest::parse(
        &json!({
            "id": "audit-log", "version": "1.2.3", "capabilities": ["read:content", "new:thing"],
            "allowedHosts": ["*.example.com"], "admin": {"pages": []}, "hooks": [{"name": "x"}],
            "storage": {
                "entries": {"indexes": ["timestamp", ["kind", "timestamp"]], "uniqueIndexes": ["key"], "more": 1},
                "bare": {},
            },
        })
        .to_string(),
    )
    .unwrap();
    assert_eq!(manifest.instance_id(), "audit-log:1.2.3");
    assert_eq!(manifest.capabilities.names(), ["content:read", "new:thing"]);
    assert_eq!(manifest.allowed_hosts, ["*.example.com"]);
    assert_eq!(
        manifest.storage_json(),
        r#"{"bare":{"indexes":[],"uniqueIndexes":[]},"entries":{"indexes":["timestamp",["kind","timestamp"]],"uniqueIndexes":["key"]}}"#
    );
}

#[test]
fn a_manifest_of_id_and_version_is_enough() {
    for rest in [
        "",
        r#","storage":[]"#,
        r#","storage":null,"allowedHosts":null"#,
        r#","storage":{}"#,
    ] {
        let manifest = Manifest::parse(&format!(r#" {{"id":"a","version":"1"{rest}}} "#)).unwrap();
        assert_eq!(manifest.capabilities, Capabilities::default());
        assert_eq!(manifest.storage_json(), "{}");
    }
}

#[test]
fn an_id_is_data() {
    let long = "x".repeat(1024);
    for id in [
        "a:b",
        "__proto__",
        "../../etc/passwd",
        "\"; x = (",
        "line\nbreak",
        "*/ 🦀 \u{2028}",
        &long,
    ] {
        let manifest = Manifest::parse(&json!({"id": id, "version": "1:2"}).to_string()).unwrap();
        assert_eq!(manifest.instance_id(), format!("{id}:1:2"));
    }
}

#[test]
fn a_collection_may_have_any_name() {
    let manifest =
        Manifest::parse(r#"{"id":"a","version":"1","storage":{"__proto__":{},"constructor":{},"":{}}}"#)
            .unwrap();
    assert!(manifest.storage.keys().eq(["", "__proto__", "constructor"]));
}

#[test]
#[rustfmt::skip]
fn an_error_names_the_field_and_what_it_should_be() {
    let with = |field: &str, value: Value| {
        let mut manifest = json!({"id": "a", "version": "1"});
        manifest[field] = value;
        error(manifest)
    };
    for (text, expected) in [
        (error(json!([])), "manifest must be an object, not an array"),
        (error(json!(null)), "manifest must be an object, not null"),
        (error(json!({"version": "1"})), "manifest field `id` is missing: it must be a non-empty string"),
        (error(json!({"id": "a"})), "manifest field `version` is missing: it must be a non-empty string"),
        (with("id", json!(7)), "manifest field `id` must be a non-empty string, not a number"),
        (with("id", json!([97])), "manifest field `id` must be a non-empty string, not an array"),
        (with("id", json!("")), "manifest field `id` must not be empty"),
        (with("id", json!("a\0")), "manifest field `id` must not contain NUL"),
        (with("id", json!("é".repeat(513))), "manifest field `id` must be at most 1024 bytes long, not 1026"),
        (with("version", json!(null)), "manifest field `version` must be a non-empty string, not null"),
        (
            with("capabilities", json!("x")),
            "manifest field `capabilities` must be an array of strings, not a string",
        ),
        (
            with("capabilities", json!(null)),
            "manifest field `capabilities` must be an array of strings, not null",
        ),
        (
            with("capabilities", json!(["a", 1])),
            "manifest field `capabilities[1]` must be a string, not a number",
        ),
        (
            with("allowedHosts", json!({})),
            "manifest field `allowedHosts` must be an array of strings, not an object",
        ),
        (
            with("storage", json!(["x"])),
            "manifest field `storage` must be an object of collections, not an array",
        ),
        (
            with("storage", json!(true)),
            "manifest field `storage` must be an object of collections, not a boolean",
        ),
        (with("storage", json!({"e": []})), "manifest field `storage.e` must be an object, not an array"),
        (
            with("storage", json!({"a\n": {"indexes": "x"}})),
            r"manifest field `storage.a\n.indexes` must be an array of field names, not a string",
        ),
        (
            with("storage", json!({"e": {"indexes": ["a", {}]}})),
            "manifest field `storage.e.indexes[1]` must be a string or an array of strings, not an object",
        ),
        (
            with("storage", json!({"e": {"uniqueIndexes": [["a", null]]}})),
            "manifest field `storage.e.uniqueIndexes[0][1]` must be a string, not null",
        ),
    ] {
        assert_eq!(text, expected);
    }
}

#[test]
fn an_unpaired_surrogate_is_refused_wherever_it_is() {
    for (manifest, field) in [
        (r#"{"id":"a\ud800","version":"1"}"#, "id"),
        (r#"{"id":"a","version":"\udc00"}"#, "version"),
        (
            r#"{"id":"a","version":"1","capabilities":["\ud800"]}"#,
            "capabilities[0]",
        ),
        (
            r#"{"id":"a","version":"1","storage":{"\ud800":{}}}"#,
            "storage.\u{fffd}\u{fffd}\u{fffd}",
        ),
    ] {
        let text = Manifest::parse(manifest).unwrap_err().to_string();
        assert_eq!(
            text,
            format!("manifest field `{field}` must not contain an unpaired surrogate")
        );
    }
    assert!(
        Manifest::parse(r#"{"\ud800":1,"id":"a","version":"1"}"#).is_ok(),
        "fields we do not use are ignored"
    );
}

#[test]
fn what_is_not_json_says_so() {
    for text in ["", "{", "undefined", "{\"id\":\"a\"} x", "{\"id\":\"a\u{0}\"}"] {
        assert_eq!(
            Manifest::parse(text).unwrap_err().to_string(),
            "manifest is not valid JSON"
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "id",
            "version",
            "capabilities",
            "allowedHosts",
            "storage",
            "indexes"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Manifest::parse(&text);
    }

    #[test]
    fn no_json_panics(value in any_json()) {
        let _ = Manifest::parse(&value.to_string());
    }

    #[test]
    fn no_cut_of_a_manifest_panics_or_passes(cut in 0usize..60) {
        let whole = r#"{"id":"a","version":"1","storage":{"e":{"indexes":["\u0061"]}}}"#;
        prop_assert!(Manifest::parse(&whole[..cut]).is_err());
    }

    #[test]
    fn any_fitting_strings_are_kept(id in "[^\0]{1,200}", version in "[^\0]{1,20}", hosts in prop::collection::vec("[^\0]*", 0..4)) {
        let text = json!({"id": id, "version": version, "allowedHosts": hosts}).to_string();
        let manifest = Manifest::parse(&text).unwrap();
        prop_assert_eq!((manifest.id, manifest.version, manifest.allowed_hosts), (id, version, hosts));
    }
}
