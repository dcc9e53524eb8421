//! `http/fetch` as EmDash's other runners put it into JSON. Ours sends the body beside it, and the rest in the same form.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::BridgeError;
use crate::egress::{FetchRequest, Redirect, Source};

/// The members of a fetch but for its body, as any value that a plugin may have given them. `null` is as good as none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Init {
    url: Value,
    method: Value,
    redirect: Value,
    headers: Value,
}

impl Init {
    /// # Errors
    /// The first member that is wrong, in the order in which the peer looks.
    pub(crate) fn request(
        self,
        body: Source,
        content_type: Option<String>,
    ) -> Result<FetchRequest, BridgeError> {
        let Value::String(url) = self.url else {
            return Err(BridgeError::MissingString("url"));
        };
        let method = match self.method {
            Value::Null => "GET".to_owned(),
            Value::String(method) => method,
            _ => return Err(BridgeError::Fetch("init.method must be a string")),
        };
        let redirect = match self.redirect {
            Value::Null => Redirect::Follow,
            redirect => serde_json::from_value(redirect)
                .map_err(|_| BridgeError::Fetch(r#"init.redirect must be "follow", "error", or "manual""#))?,
        };
        let headers = match self.headers {
            Value::Null => Vec::new(),
            headers => serde_json::from_value(headers)
                .map_err(|_| BridgeError::Fetch("init.headers must be an array of [name, value] pairs"))?,
        };
        Ok(FetchRequest {
            url,
            method,
            redirect,
            headers,
            content_type,
            body,
        })
    }
}

/// A part of a form. The peer's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    name: String,
    value: String,
    filename: Option<String>,
    #[serde(rename = "type")]
    media_type: Option<String>,
    #[serde(default)]
    is_blob: bool,
}

/// A whole call, `{"url":…,"init":{…}}`, with its body in JSON.
///
/// # Errors
/// The first member that is wrong.
pub(crate) fn parse_call(call: &str) -> Result<FetchRequest, BridgeError> {
    let call: Value = serde_json::from_str(call).unwrap_or(Value::Null);
    let Value::Object(mut call) = call else {
        return Err(BridgeError::BodyNotAnObject);
    };
    let mut take = |name| call.remove(name).unwrap_or(Value::Null);
    let url = take("url");
    let mut init = match take("init") {
        Value::Null => serde_json::Map::new(),
        Value::Object(init) => init,
        // The address goes before.
        _ if url.is_string() => return Err(BridgeError::Fetch("init must be an object")),
        _ => return Err(BridgeError::MissingString("url")),
    };
    let mut take = |name| init.remove(name).unwrap_or(Value::Null);
    let (kind, body) = (take("bodyType"), take("body"));
    let head = Init {
        url,
        method: take("method"),
        redirect: take("redirect"),
        headers: take("headers"),
    };
    let mut request = head.request(Source::None, None)?;
    if let Some((bytes, content_type)) = body_of(kind, body)? {
        request.body = Source::Whole(bytes);
        request.content_type = content_type;
    }
    Ok(request)
}

type Body = (Bytes, Option<String>);

fn body_of(kind: Value, body: Value) -> Result<Option<Body>, BridgeError> {
    const KINDS: BridgeError =
        BridgeError::Fetch(r#"init.bodyType must be "string", "base64", or "formdata""#);
    let kind = match kind {
        Value::Null => None,
        Value::String(kind) if matches!(kind.as_str(), "string" | "base64" | "formdata") => Some(kind),
        _ => return Err(KINDS),
    };
    if body.is_null() {
        return Ok(None);
    }
    if kind.as_deref() == Some("formdata") {
        let parts: Vec<Part> = serde_json::from_value(body)
            .map_err(|_| BridgeError::Fetch("formdata body must be an array of form parts"))?;
        return form(&parts).map(Some);
    }
    let Value::String(text) = body else {
        return Err(BridgeError::Fetch("string/base64 body must be a string"));
    };
    Ok(match kind.as_deref() {
        None => None,
        Some("base64") => Some((decode(&text)?, None)),
        Some(_) => Some((text.into(), Some("text/plain;charset=UTF-8".into()))),
    })
}

fn decode(text: &str) -> Result<Bytes, BridgeError> {
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(|_| BridgeError::Fetch("a base64 body must be base64"))
}

/// As the HTML standard writes a form.
fn form(parts: &[Part]) -> Result<Body, BridgeError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| BridgeError::Fetch("the system gives no random bytes"))?;
    let mut boundary = "----emdash-".to_owned();
    for byte in random {
        // Writing to a String can't fail.
        let _ = write!(boundary, "{byte:02x}");
    }
    let mut body = Vec::new();
    for part in parts {
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            quoted(&part.name)
        );
        let value = if part.is_blob {
            let name = part.filename.as_deref().unwrap_or("blob");
            let kind = part
                .media_type
                .as_deref()
                .filter(|kind| !kind.is_empty() && !kind.contains(['\r', '\n']));
            let kind = kind.unwrap_or("application/octet-stream");
            let _ = write!(head, "; filename=\"{}\"\r\nContent-Type: {kind}", quoted(name));
            decode(&part.value)?
        } else {
            part.value
                .replace("\r\n", "\n")
                .replace('\r', "\n")
                .replace('\n', "\r\n")
                .into()
        };
        head.push_str("\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((
        body.into(),
        Some(format!("multipart/form-data; boundary={boundary}")),
    ))
}

fn quoted(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(call: &str) -> String {
        parse_call(call).unwrap_err().to_string()
    }

    #[test]
    fn the_first_wrong_member_is_named() {
        for (call, words) in [
            ("7", "The body of a bridge call must be a JSON object"),
            ("{}", "Missing required string parameter: url"),
            (r#"{"url":7,"init":7}"#, "Missing required string parameter: url"),
            (r#"{"url":"u","init":7}"#, "http/fetch: init must be an object"),
            (
                r#"{"url":"u","init":{"method":7}}"#,
                "http/fetch: init.method must be a string",
            ),
            (
                r#"{"url":"u","init":{"redirect":"x"}}"#,
                r#"http/fetch: init.redirect must be "follow", "error", or "manual""#,
            ),
            (
                r#"{"url":"u","init":{"headers":[["a"]]}}"#,
                "http/fetch: init.headers must be an array of [name, value] pairs",
            ),
            (
                r#"{"url":"u","init":{"bodyType":"x"}}"#,
                r#"http/fetch: init.bodyType must be "string", "base64", or "formdata""#,
            ),
            (
                r#"{"url":"u","init":{"bodyType":"formdata","body":"x"}}"#,
                "http/fetch: formdata body must be an array of form parts",
            ),
            (
                r#"{"url":"u","init":{"bodyType":"string","body":7}}"#,
                "http/fetch: string/base64 body must be a string",
            ),
        ] {
            assert_eq!(refusal(call), words, "{call}");
        }
    }

    #[test]
    fn a_body_is_what_its_type_says() {
        let body = |init: &str| {
            let request = parse_call(&format!(r#"{{"url":"u","init":{init}}}"#)).unwrap();
            let Source::Whole(bytes) = request.body else {
                return None;
            };
            Some((String::from_utf8(bytes.to_vec()).unwrap(), request.content_type))
        };
        assert_eq!(body(r#"{"body":"ignored without its type"}"#), None);
        assert_eq!(
            body(r#"{"bodyType":"string","body":"t"}"#),
            Some(("t".into(), Some("text/plain;charset=UTF-8".into())))
        );
        assert_eq!(
            body(r#"{"bodyType":"base64","body":"dA=="}"#),
            Some(("t".into(), None))
        );
        let (form, kind) = body(
            r#"{"bodyType":"formdata","body":[{"name":"a\"\n","value":"1\n2"},
                {"name":"f","value":"dA==","isBlob":true,"filename":"n","type":"x/y\r\nz: 1"}]}"#,
        )
        .unwrap();
        let boundary = kind.unwrap().split_once("boundary=").unwrap().1.to_owned();
        assert_eq!(
            form.replace(&boundary, "B"),
            "--B\r\nContent-Disposition: form-data; name=\"a%22%0A\"\r\n\r\n1\r\n2\r\n\
             --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nt\r\n--B--\r\n"
        );
    }
}
