//! Bodies of requests: their cap, and the time that they have.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_body_that_is_held_has_the_time_that_its_line_takes() {
    let body = vec![7; 1_000_000];
    let (wire, mut far) = tokio::io::duplex(64 * 1024);
    let bounds = Bounds {
        head: Duration::from_secs(4),
        ..open().bounds
    };
    let url = Url::parse("http://slow.example/").unwrap();
    let origin = async {
        let head = head(&mut far).await;
        assert!(head.contains("content-length: 1000000"), "{head}");
        let mut got = Vec::new();
        // 32 KiB in 0.4 s: three times as long as an answer's head may take, and what buffers hold takes less.
        while got.len() < body.len() {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let mut piece = vec![0; (32 * 1024).min(body.len() - got.len())];
            far.read_exact(&mut piece).await.unwrap();
            got.extend_from_slice(&piece);
        }
        assert!(got == body);
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        until_ended(far).await;
    };
    let mut source = Source::Whole(body.clone().into());
    let bounds = Bounds {
        request_body: body.len(),
        ..bounds
    };
    let headers = header::HeaderMap::new();
    let sent = exchange(
        Box::new(wire),
        &url,
        &Method::POST,
        &headers,
        &mut source,
        &bounds,
    );
    tokio::select! {
        () = origin => panic!("the origin was left"),
        sent = sent => assert_eq!(sent.unwrap().0.status(), 200),
    }
}

#[tokio::test]
async fn a_request_body_past_its_cap_is_cut_while_it_streams() {
    let port = origin(|stream, _| until_closed(stream)).await;
    let pieces = stream::repeat_with(|| Bytes::from(vec![0; 4096]));
    let request = post(&at(port), streamed(pieces));
    let error = refusal(&open(), request, &["*"]).await;
    assert_eq!(error, "The body of a request may have at most 100000 bytes");
}

#[tokio::test]
async fn a_whole_body_past_the_cap_is_refused_before_anything_is_looked_up() {
    let resolver = FakeResolver::of(&[&["127.0.0.1"]]);
    let egress = egress("example.com", resolver.clone());
    let request = post("http://example.com/", Source::Whole(vec![0; 100_001].into()));
    let refused = refusal(&egress, request, &["example.com"]).await;
    assert_eq!(refused, FetchError::RequestTooLarge(100_000).to_string());
    assert_eq!(resolver.left(), 1);
}
