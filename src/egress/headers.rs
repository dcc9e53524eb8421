//! What is sent and told in headers.

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::error::FetchError;

/// What the headers of one request may take together. Node and most servers take no more than 16 KiB.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The connection's own business. A plugin that could say `host` would reach another site of a server it may reach.
const CONNECTION: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// The plugin's headers as they will be sent, with those that every request has.
pub(super) fn outgoing(
    pairs: &[(String, String)],
    content_type: Option<&str>,
) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::new();
    let mut bytes = 0;
    let content_type = content_type.map(|value| (header::CONTENT_TYPE.as_str(), value));
    let given = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let is_given = pairs
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    for (name, value) in given.chain(content_type.filter(|_| !is_given)) {
        bytes += name.len() + value.chars().count();
        if bytes > MAX_HEADER_BYTES {
            return Err(FetchError::Header(format!(
                "all of them take more than {} KiB",
                MAX_HEADER_BYTES / 1024
            )));
        }
        let wrong = || FetchError::Header(name.chars().take(100).collect());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        // What is past Latin-1 is no byte.
        let value: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let value = HeaderValue::from_bytes(value.ok_or_else(wrong)?.trim_ascii()).map_err(|_| wrong())?;
        if !CONNECTION.contains(&header.as_str()) {
            headers.try_append(header, value).map_err(|_| wrong())?;
        }
    }
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    Ok(headers)
}

/// Many servers refuse whoever has no name. What can be decoded is decoded here, within the cap.
const DEFAULTS: [(HeaderName, &str); 4] = [
    (header::ACCEPT, "*/*"),
    (header::ACCEPT_LANGUAGE, "*"),
    (header::ACCEPT_ENCODING, "gzip, deflate, br"),
    (
        header::USER_AGENT,
        concat!("emdash-sandbox-native/", env!("CARGO_PKG_VERSION")),
    ),
];

/// A method as the Fetch standard writes it; those that make a tunnel or an echo are refused.
pub(super) fn method(name: &str) -> Result<Method, FetchError> {
    let upper = name.to_ascii_uppercase();
    if matches!(upper.as_str(), "CONNECT" | "TRACE" | "TRACK") {
        return Err(FetchError::Method(upper));
    }
    let name = match upper.as_str() {
        "DELETE" | "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" => upper.as_str(),
        _ => name,
    };
    Method::from_bytes(name.as_bytes()).map_err(|_| FetchError::Method(name.chars().take(100).collect()))
}

/// Names and values as JavaScript sees them: a byte is a character.
pub(super) fn incoming(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

/// Ports at which something other than a web server listens; the Fetch standard's list.
pub(super) const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn headers_are_sent_as_given_but_for_the_connections_own() {
        let given = pairs(&[
            ("X-A", "1"),
            ("x-a", " 2 "),
            ("Host", "evil"),
            ("Content-Length", "9"),
            ("X-E", "é"),
        ]);
        let sent = outgoing(&given, Some("text/plain")).unwrap();
        assert_eq!(sent.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(sent["x-e"].as_bytes(), b"\xe9");
        assert_eq!(sent["content-type"], "text/plain");
        assert!(!sent.contains_key("host") && !sent.contains_key("content-length"));
        let own = outgoing(
            &pairs(&[("CONTENT-TYPE", "a/b"), ("User-Agent", "me")]),
            Some("text/plain"),
        )
        .unwrap();
        assert_eq!(
            (&own["content-type"], &own["user-agent"]),
            (&"a/b".parse().unwrap(), &"me".parse().unwrap())
        );
    }

    #[test]
    fn what_would_break_out_of_a_header_is_refused() {
        for (name, value) in [
            ("a b", "x"),
            ("", "x"),
            ("a", "x\r\ny: z"),
            ("a", "\0"),
            ("a", "€"),
            ("a:", "x"),
        ] {
            assert!(
                outgoing(&pairs(&[(name, value)]), None).is_err(),
                "{name:?}: {value:?}"
            );
        }
        // A character is a byte, also where UTF-8 has two.
        for character in ["x", "é"] {
            let largest = character.repeat(MAX_HEADER_BYTES - 1);
            assert!(outgoing(&pairs(&[("a", &largest)]), None).is_ok());
            let large = character.repeat(MAX_HEADER_BYTES);
            assert!(outgoing(&pairs(&[("a", &large)]), None).is_err());
        }
    }

    #[test]
    fn methods_are_written_as_the_standard_has_them() {
        for (given, sent) in [
            ("get", "GET"),
            ("Post", "POST"),
            ("patch", "patch"),
            ("X-Own", "X-Own"),
        ] {
            assert_eq!(method(given).unwrap().as_str(), sent);
        }
        for refused in ["connect", "TRACE", "Track", "A B", "", "GET / HTTP/1.1\r\n"] {
            assert!(method(refused).is_err(), "{refused:?}");
        }
    }
}
