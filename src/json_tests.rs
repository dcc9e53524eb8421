//! Tests of reading raw JSON, mostly of where JavaScript's JSON is wider than Rust's strings.
use super::*;
use proptest::prelude::*;

fn raw(json: &str) -> Box<RawValue> {
    serde_json::from_str(json).unwrap()
}

fn listed(json: &str) -> Vec<(Vec<u8>, String)> {
    let value = raw(json);
    let mut found = Vec::new();
    assert!(fields(&value, |name, value| found
        .push((name.to_vec(), value.get().to_owned()))));
    found
}

#[test]
fn kinds_are_told_apart() {
    let kinds = ["null", "true", "-1e9", "\"\"", "[]", "{}"].map(|json| Kind::of(&raw(json)));
    assert_eq!(
        kinds,
        [
            Kind::Null,
            Kind::Boolean,
            Kind::Number,
            Kind::String,
            Kind::Array,
            Kind::Object
        ]
    );
}

#[test]
fn a_string_is_decoded_and_an_array_of_numbers_is_not_taken_for_one() {
    assert_eq!(
        string_bytes(&raw(r#""a\u00e9\n\ud83d\ude00""#)),
        Some("aé\n😀".as_bytes().to_vec())
    );
    assert_eq!(string_bytes(&raw("[97, 98]")), None);
    assert_eq!(string_bytes(&raw("7")), None);
}

#[test]
fn an_unpaired_surrogate_is_bytes_that_are_not_utf8() {
    for json in [
        r#""\ud800""#,
        r#""a\udfffb""#,
        r#""\ud800\ud800""#,
        r#""\ud800\u0041""#,
    ] {
        assert!(
            String::from_utf8(string_bytes(&raw(json)).unwrap()).is_err(),
            "{json}"
        );
    }
}

#[test]
fn fields_come_in_order_with_repeats_and_with_names_that_are_not_utf8() {
    let found = listed(r#"{"b":1, "a" : [1, 2], "b":null, "__proto__":{}, "\ud800":2, "\u0061":3}"#);
    let names: Vec<&[u8]> = found.iter().map(|(name, _)| name.as_slice()).collect();
    assert_eq!(
        names,
        [b"b".as_slice(), b"a", b"b", b"__proto__", b"\xed\xa0\x80", b"a"]
    );
    assert_eq!(found[1].1, "[1, 2]");
}

#[test]
fn a_million_brackets_do_not_exhaust_the_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let object = format!(r#"{{"x":{deep}}}"#);
    assert_eq!(listed(&object)[0].1.len(), deep.len());
    assert!(elements(&raw(&deep), |_| ()));
}

#[test]
fn extent_is_of_what_stands_outside_of_strings() {
    for (json, values, depth) in [
        ("7", 0, 0),
        ("[]", 1, 1),
        (r#"[1,{"a":[2,3]},[]]"#, 7, 3),
        (r#"{"[[[\\\"[,{":"]]}}\\"}"#, 1, 1),
        ("[[],[],[[]]]", 7, 3),
    ] {
        assert_eq!(extent(json), Extent { values, depth }, "{json}");
    }
}

#[test]
fn elements_come_in_order_and_only_from_an_array() {
    let value = raw("[1, [2], {\"3\":3}]");
    let mut seen = Vec::new();
    assert!(elements(&value, |element| seen.push(element.get())));
    assert_eq!(seen, ["1", "[2]", "{\"3\":3}"]);
    assert!(!elements(&raw("{}"), |_| ()));
    assert!(!fields(&raw("[]"), |_, _| ()));
}

proptest! {
    #[test]
    fn any_string_survives(text in any::<String>()) {
        let value = raw(&serde_json::to_string(&text).unwrap());
        prop_assert_eq!(string_bytes(&value), Some(text.into_bytes()));
    }
}
