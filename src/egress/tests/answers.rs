//! Bodies of answers: their cap, their codings, and bombs.

use super::*;

#[tokio::test]
async fn a_body_is_cut_at_its_cap_however_it_comes() {
    let (port, sent) = endless(b"HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 65536]).await;
    assert!(
        failure(&open(), &at(port))
            .await
            .contains("The body of a response may have at most")
    );
    // What the sockets hold besides, which the system bounds.
    assert!(sent.load(std::sync::atomic::Ordering::Relaxed) < 64 * 1024 * 1024);

    let (port, _) = endless(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n".repeat(9999),
    )
    .await;
    assert!(failure(&open(), &at(port)).await.contains("may have at most"));

    let zeros = vec![0; 5_000_000];
    for (coding, name) in [
        (Coding::Gzip, "gzip"),
        (Coding::Brotli, "br"),
        (Coding::Deflate, "deflate"),
    ] {
        let bomb = coded(&zeros, coding).await;
        assert!(bomb.len() < 100_000, "{name} is a bomb");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {name}\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        let port = says([head.into_bytes(), bomb].concat()).await;
        assert!(
            failure(&open(), &at(port)).await.contains("may have at most"),
            "{name}"
        );
    }

    // Members that hold nothing: much that decodes to nothing.
    let nothing = coded(b"", Coding::Gzip).await.repeat(1000);
    let (port, _) = endless(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", nothing).await;
    assert!(failure(&open(), &at(port)).await.contains("may have at most"));
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_comes_and_its_first_piece_before_the_second_is_sent() {
    let whole = vec![b'x'; 100_000];
    for name in ["identity", "gzip", "br", "deflate"] {
        let sent = match name {
            "gzip" => coded(&whole, Coding::Gzip).await,
            "br" => coded(&whole, Coding::Brotli).await,
            "deflate" => coded(&whole, Coding::Deflate).await,
            _ => whole.clone(),
        };
        let port = says_coded(name, sent).await;
        assert!(got(&open(), &at(port)).await == whole, "{name}");
    }

    let (go_on, goes_on) = tokio::sync::oneshot::channel::<()>();
    let goes_on = Arc::new(Mutex::new(Some(goes_on)));
    let port = origin(move |mut stream, _| {
        let goes_on = goes_on.lock().unwrap().take();
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\none").await;
            goes_on.unwrap().await.unwrap();
            let _ = stream.write_all(b"two").await;
        }
    })
    .await;
    let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
    let mut pieces = answer.body.unwrap();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "one");
    go_on.send(()).unwrap();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "two");
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn what_decodes_to_nothing_counts_between_two_decoders_too() {
    let nothing = coded(b"", Coding::Gzip).await.repeat(10_000);
    assert!(nothing.len() > 100_000);
    let bomb = coded(&nothing, Coding::Gzip).await;
    assert!(bomb.len() < 10_000);
    let port = says_coded("gzip, gzip", bomb).await;
    assert!(failure(&open(), &at(port)).await.contains("may have at most"));
}

#[tokio::test]
async fn decoders_that_ask_each_other_without_end_let_the_other_tasks_have_their_turn() {
    let mut egress = open();
    egress.bounds.response_body = 4_000_000;
    let nothing = coded(b"", Coding::Gzip).await.repeat(100_000);
    // One that comes over the wire, in as many pieces as it takes; and one that comes in a single piece.
    for (name, sent) in [
        ("gzip", nothing.clone()),
        ("gzip, gzip", coded(&nothing, Coding::Gzip).await),
    ] {
        let port = says_coded(name, sent).await;
        let answer = fetch(&egress, get(&at(port)), grant(&["*"])).await.unwrap();
        let mut turns = 0;
        let reading = body(answer);
        tokio::pin!(reading);
        // A task of this thread, as every other plugin's is.
        let read = loop {
            tokio::select! {
                biased;
                read = &mut reading => break read,
                () = tokio::task::yield_now() => turns += 1,
            }
        };
        assert_eq!(read.unwrap(), b"");
        assert!(turns > 20, "{name}: {turns} turns");
    }
}

#[tokio::test]
async fn what_is_coded_may_be_empty_and_not_cut_off() {
    for name in ["gzip", "br", "deflate", "gzip, br"] {
        let port = says_coded(name, Vec::new()).await;
        assert_eq!(got(&open(), &at(port)).await, b"", "{name}");
    }
    let text = b"a text that is long enough to be cut in its middle, and varied: 0123456789";
    for (coding, name) in [
        (Coding::Gzip, "gzip"),
        (Coding::Brotli, "br"),
        (Coding::Deflate, "deflate"),
    ] {
        let whole = coded(text, coding).await;
        let port = says_coded(name, whole.clone()).await;
        assert_eq!(got(&open(), &at(port)).await, text, "{name}");
        let port = says_coded(name, whole[..whole.len() / 2].to_vec()).await;
        let error = failure(&open(), &at(port)).await;
        assert!(error.contains("the answer can't be read"), "{name}: {error}");
    }
    let twice = coded(&coded(text, Coding::Brotli).await, Coding::Gzip).await;
    let port = says_coded("br, gzip", twice).await;
    assert_eq!(got(&open(), &at(port)).await, text);
}

async fn coded(bytes: &[u8], coding: Coding) -> Vec<u8> {
    use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder};
    async fn all(mut encoder: impl tokio::io::AsyncWrite + Unpin, bytes: &[u8]) {
        encoder.write_all(bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
    }
    let mut coded = Vec::new();
    match coding {
        Coding::Gzip => all(GzipEncoder::new(&mut coded), bytes).await,
        Coding::Brotli => all(BrotliEncoder::new(&mut coded), bytes).await,
        Coding::Deflate => all(ZlibEncoder::new(&mut coded), bytes).await,
    }
    coded
}

async fn says_coded(name: &str, body: Vec<u8>) -> u16 {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {name}\r\ncontent-length: {length}\r\n\r\n");
    says([head.into_bytes(), body].concat()).await
}
