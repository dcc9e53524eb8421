//! Servers that misbehave, stall, never end, or say more than they should.

use super::*;

#[tokio::test]
async fn a_server_that_misbehaves_is_given_up_with_the_reason() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(1_000_000));
    for (text, words) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"[..],
            "the answer can't be read",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n",
            "may have at most",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456",
            "the answer can't be read",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "the answer can't be read",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
            "the answer can't be read",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: br,br,br\r\n\r\n",
            "coded more than 2 times",
        ),
        (
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "fetch failed",
        ),
        (b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n", "status 999"),
        (b"HTTP/2 200\r\n\r\n", "the answer can't be read"),
        (b"\x16\x03\x01\x00", "the answer can't be read"),
        (b"", "the answer can't be read"),
        (many.as_bytes(), "the answer can't be read"),
        (long.as_bytes(), "the answer can't be read"),
    ] {
        let port = says(text).await;
        let error = failure(&open(), &at(port)).await;
        assert!(
            error.contains(words),
            "{:?}: {error}",
            String::from_utf8_lossy(&text[..text.len().min(60)])
        );
    }
}

#[tokio::test]
async fn a_server_that_stalls_is_left_and_so_is_one_that_is_not_there() {
    for (text, what) in [
        ("", "the head of the answer"),
        ("HTTP/1.1 200", "the head of the answer"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfirst",
            "a piece of the answer",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
            "a piece of the answer",
        ),
    ] {
        let port = origin(move |mut stream, _| async move {
            let _ = stream.write_all(text.as_bytes()).await;
            until_closed(stream).await;
        })
        .await;
        let error = failure(&open(), &at(port)).await;
        assert!(
            error.contains(&format!("{what} took more than 0.3 s")),
            "{text}: {error}"
        );
    }
    // Whoever connects gets nothing: what stalls is the agreement on TLS.
    let silent = origin(|stream, _| until_closed(stream)).await;
    let mut hasty = open();
    hasty.bounds.connect = Duration::from_millis(300);
    hasty.bounds.look_up = Duration::from_millis(300);
    let url = format!("https://127.0.0.1:{silent}/");
    assert_eq!(
        failure(&hasty, &url).await,
        "fetch failed: connecting took more than 0.3 s"
    );
    hasty.resolver = Arc::new(Silent);
    assert_eq!(
        refusal(&hasty, get("http://slow.example/"), &["*"]).await,
        "fetch failed: the look-up of its name took more than 0.3 s"
    );

    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = failure(&open(), &at(free)).await;
    assert!(
        error.starts_with("fetch failed: 127.0.0.1 could not be connected to: "),
        "{error}"
    );
}

#[tokio::test]
async fn endless_heads_end() {
    for (first, then) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], b"a: b\r\n".repeat(1000)),
        (b"HTTP/1.1 200 OK\r\na: ", b"b".repeat(65536)),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
    ] {
        let (port, _) = endless(first, then).await;
        let error = failure(&open(), &at(port)).await;
        assert!(error.starts_with("fetch failed: "), "{error}");
    }
}

#[tokio::test]
async fn what_a_server_says_past_its_length_is_not_read_and_two_lengths_are_none() {
    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nmore").await;
    assert_eq!(got(&open(), &at(port)).await, b"ok");

    // Who says both means chunks (RFC 9112, 6.3); each hop has a connection of its own, so nothing can hide behind them.
    let both =
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore";
    let port = says(both).await;
    assert_eq!(got(&open(), &at(port)).await, b"ok");
}

#[tokio::test]
async fn a_server_that_never_reads_the_request_is_left_when_nothing_moves_any_more() {
    let mut egress = open();
    egress.bounds.request_body = 32 * 1024 * 1024;
    let port = origin(|stream, _| async move {
        // Held, and never read from.
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    // More than the sockets of both sides hold.
    let request = post(&at(port), Source::Whole(vec![0; 32 * 1024 * 1024].into()));
    let error = refusal(&egress, request, &["*"]).await;
    assert_eq!(error, "fetch failed: the head of the answer took more than 0.3 s");
}

/// Never answers.
#[derive(Debug)]
struct Silent;

impl Resolve for Silent {
    fn resolve(&self, _: String, _permit: OwnedSemaphorePermit) -> Answers {
        Box::pin(std::future::pending())
    }
}
