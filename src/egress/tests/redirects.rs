//! Redirects: how many, where to, and with what.

use super::*;

fn moved(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn each_hop_is_checked_anew() {
    for (location, words) in [
        ("http://169.254.169.254/latest", "private IP addresses"),
        ("http://[::ffff:10.0.0.1]/", "private IP addresses"),
        ("http://localhost/", "internal hosts"),
        ("http://10.0.0.1.nip.io/", "wildcard DNS services"),
        ("file:///etc/passwd", "Scheme 'file:' is not allowed"),
        ("http://u:p@127.0.0.1/", "includes credentials"),
        ("http://127.0.0.1:25/", "port 25"),
        ("http://[", "Invalid URL"),
    ] {
        let port = says(moved(302, location)).await;
        let error = refusal(&open(), get(&at(port)), &[]).await;
        assert!(error.contains(words), "{location}: {error}");
    }
    let port = says(moved(302, "https://other.example/")).await;
    let error = refusal(&open(), get(&at(port)), &["127.0.0.1"]).await;
    assert!(
        error.starts_with("Plugin \"p\" is not allowed to fetch from host \"other.example\""),
        "{error}"
    );
}

#[tokio::test]
async fn five_redirects_are_followed_and_a_loop_is_not() {
    let port = origin(|mut stream, head| async move {
        let left: u32 = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap_or(9);
        let answer = match left {
            0 => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            left => moved(307, &format!("/{}", left - 1)),
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let answer = fetch(&open(), get(&format!("{}5", at(port))), grant(&["*"]))
        .await
        .unwrap();
    assert!(answer.redirected && answer.url.ends_with("/0"));
    let error = refusal(&open(), get(&format!("{}6", at(port))), &["*"]).await;
    assert_eq!(error, "Plugin \"p\": too many redirects (max 5)");

    for (redirect, outcome) in [
        (Redirect::Manual, Ok(307)),
        (
            Redirect::Error,
            Err("fetch failed: the answer is a redirect, and redirect is \"error\"".to_owned()),
        ),
    ] {
        let request = FetchRequest {
            redirect,
            ..get(&format!("{}1", at(port)))
        };
        let answer = fetch(&open(), request, grant(&["*"])).await;
        assert_eq!(answer.map(|answer| answer.status), outcome);
    }
}

#[tokio::test]
async fn credentials_and_bodies_go_where_the_standard_lets_them() {
    let other = origin(|mut stream, head| async move {
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest[..1].parse().unwrap());
        let mut sent = vec![0; length];
        stream.read_exact(&mut sent).await.unwrap();
        let seen = format!("{head}{}", String::from_utf8_lossy(&sent));
        let _ = stream
            .write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{seen}", seen.len()).as_bytes())
            .await;
    })
    .await;
    let to = at(other);
    let port = origin(move |mut stream, head| {
        let answer = moved(head[6..9].parse().unwrap(), &to);
        async move {
            // So that the whole body has gone before the answer comes.
            stream.read_exact(&mut [0; 4]).await.unwrap();
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    for (status, method, sent_body) in [
        (301, "GET /", ""),
        (303, "GET /", ""),
        (307, "POST /", "body"),
        (308, "POST /", "body"),
    ] {
        let request = FetchRequest {
            headers: [("authorization", "secret"), ("cookie", "c"), ("x-own", "1")]
                .map(|(n, v)| (n.into(), v.into()))
                .into(),
            content_type: Some("text/own".into()),
            ..post(&format!("{}{status}", at(port)), Source::Whole("body".into()))
        };
        let seen = body(fetch(&open(), request, grant(&["*"])).await.unwrap())
            .await
            .unwrap();
        let seen = String::from_utf8(seen).unwrap();
        assert!(
            seen.starts_with(method) && seen.ends_with(&format!("\r\n\r\n{sent_body}")),
            "{status}: {seen}"
        );
        assert!(
            seen.contains("x-own: 1") && !seen.contains("secret") && !seen.contains("cookie"),
            "{status}: {seen}"
        );
        assert_eq!(
            seen.contains("content-type: text/own"),
            !sent_body.is_empty(),
            "what describes a body goes with it: {seen}"
        );
    }
}

#[tokio::test]
async fn a_stream_is_not_sent_a_second_time() {
    let port = origin(|mut stream, _| async move {
        let _ = stream.write_all(moved(307, "/").as_bytes()).await;
        until_closed(stream).await;
    })
    .await;
    let request = post(&at(port), streamed(stream::iter([Bytes::from("x")])));
    let error = refusal(&open(), request, &["*"]).await;
    assert!(error.contains("can't be sent a second time"), "{error}");
}
