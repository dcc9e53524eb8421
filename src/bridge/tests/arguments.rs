//! What passes, and as what it arrives.

use super::*;

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
