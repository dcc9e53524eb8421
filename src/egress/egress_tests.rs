//! The whole way out, to origins on loopback that behave, and that do not.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::resolve::Answers;
use super::*;

/// Answers in turn, and counts.
#[derive(Debug, Default)]
struct FakeResolver(Mutex<VecDeque<Vec<&'static str>>>);

impl FakeResolver {
    fn of(answers: &[&[&'static str]]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(
            answers.iter().map(|answer| answer.to_vec()).collect(),
        )))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Resolve for FakeResolver {
    fn resolve(&self, _: String, _permit: OwnedSemaphorePermit) -> Answers {
        let next = self.0.lock().unwrap().pop_front();
        Box::pin(async move {
            let found = next.ok_or_else(|| io::Error::other("asked once too often"))?;
            Ok(found
                .iter()
                .map(|address| address.parse::<IpAddr>().unwrap())
                .collect())
        })
    }
}

fn egress(private: &str, resolver: Arc<dyn Resolve>) -> Egress {
    Egress {
        private: PrivateHosts::parse(private).unwrap(),
        resolver,
        trust: Trust::default(),
        bounds: Bounds {
            head: Duration::from_millis(300),
            idle: Duration::from_millis(300),
            request_body: 100_000,
            response_body: 100_000,
            ..Bounds::new(0)
        },
    }
}

fn open() -> Egress {
    egress("127.0.0.1", Arc::new(SystemResolver))
}

fn get(url: &str) -> FetchRequest {
    FetchRequest {
        url: url.into(),
        method: "GET".into(),
        redirect: Redirect::Follow,
        headers: vec![],
        content_type: None,
        body: Source::None,
    }
}

fn grant(hosts: &[&str]) -> Grant {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    Grant {
        reach: Reach::new("p", hosts.is_empty(), &hosts),
        ended: Box::pin(std::future::pending()),
    }
}

async fn body(answer: Answer) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    let mut pieces = answer.body.ok_or("no body")?;
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.map_err(|error| error.to_string())?);
    }
    Ok(all)
}

async fn fetch(egress: &Egress, request: FetchRequest, grant: Grant) -> Result<Answer, String> {
    egress
        .fetch(request, grant, &Share::new(16))
        .await
        .map_err(|error| error.to_string())
}

/// The words of the failure, be it of the head or of the body.
async fn failure(egress: &Egress, url: &str) -> String {
    match fetch(egress, get(url), grant(&["127.0.0.1"])).await {
        Err(error) => error,
        Ok(answer) => body(answer).await.expect_err("it came through"),
    }
}

/// A listener whose every connection is served by `serve`, once its request's head has been read.
async fn origin<F>(serve: impl Fn(TcpStream, String) -> F + Send + Sync + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = head(&mut stream).await;
            tokio::spawn(serve(stream, head));
        }
    });
    port
}

async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

async fn says(text: impl Into<Vec<u8>>) -> u16 {
    let text = text.into();
    origin(move |mut stream, _| {
        let text = text.clone();
        async move {
            let _ = stream.write_all(&text).await;
        }
    })
    .await
}

fn at(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

/// Keeps `stream` open, and says when its other end has gone.
async fn until_closed(stream: TcpStream) {
    until_ended(stream).await;
}

async fn until_ended(mut stream: impl AsyncReadExt + Unpin) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test]
async fn a_literal_of_any_form_is_classified_because_nothing_resolves_it() {
    let nobody = FakeResolver::of(&[]);
    let egress = egress("", nobody);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.0.0.1.",
        "①②⑦.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.1",
        "192.168.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "100.64.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "%31%32%37.0.0.1",
        "127。0。0。1",
    ] {
        for hosts in [&["*"][..], &[]] {
            let error = fetch(&egress, get(&format!("http://{host}/")), grant(hosts))
                .await
                .err()
                .unwrap();
            assert!(
                error.ends_with("URLs targeting private IP addresses are not allowed"),
                "{host}: {error}"
            );
        }
    }
    for host in [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "1.2.3.4.5.6.0x",
        "[::ffff:1.2.3]",
        "256.1.1.1",
    ] {
        let error = fetch(&egress, get(&format!("http://{host}/")), grant(&["*"]))
            .await
            .err()
            .unwrap();
        assert_eq!(error, "Invalid URL", "{host}");
    }
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_goes_nowhere_if_one_of_its_addresses_is_forbidden() {
    let resolver = FakeResolver::of(&[&["93.184.215.14", "10.0.0.1"], &["127.0.0.1"]]);
    let egress = egress("", resolver.clone());
    for _ in 0..2 {
        let error = fetch(&egress, get("http://rebind.example/"), grant(&["rebind.example"])).await;
        assert_eq!(
            error.err().unwrap(),
            "Plugin \"p\": blocked fetch to \"rebind.example\": Hostname resolves to a private IP address"
        );
    }
    assert_eq!(resolver.left(), 0);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_is_never_asked_a_second_time() {
    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    // The first answer is let in, by name; whatever a second one said, nobody hears it.
    let resolver = FakeResolver::of(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let egress = egress("rebind.example", resolver.clone());
    let url = format!("http://rebind.example:{port}/");
    let answer = fetch(&egress, get(&url), grant(&["rebind.example"]))
        .await
        .unwrap();
    assert_eq!(body(answer).await.unwrap(), b"ok");
    assert_eq!(resolver.left(), 1);
    let error = fetch(&egress, get(&url), grant(&["rebind.example"]))
        .await
        .err()
        .unwrap();
    assert!(
        error.contains("Hostname resolves to a private IP address"),
        "a cloud's credentials open by address only: {error}"
    );
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
        let port = says(format!(
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        let error = fetch(&open(), get(&at(port)), grant(&[])).await.err().unwrap();
        assert!(error.contains(words), "{location}: {error}");
    }
    let port =
        says("HTTP/1.1 302 Found\r\nlocation: https://other.example/\r\ncontent-length: 0\r\n\r\n").await;
    let error = fetch(&open(), get(&at(port)), grant(&["127.0.0.1"]))
        .await
        .err()
        .unwrap();
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
            left => format!(
                "HTTP/1.1 307 Go\r\nlocation: /{}\r\ncontent-length: 0\r\n\r\n",
                left - 1
            ),
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let answer = fetch(&open(), get(&format!("{}5", at(port))), grant(&["*"]))
        .await
        .unwrap();
    assert!(answer.redirected && answer.url.ends_with("/0"));
    let error = fetch(&open(), get(&format!("{}6", at(port))), grant(&["*"])).await;
    assert_eq!(error.err().unwrap(), "Plugin \"p\": too many redirects (max 5)");

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
        let status = head[6..9].to_owned();
        let to = to.clone();
        async move {
            // So that the whole body has gone before the answer comes.
            stream.read_exact(&mut [0; 4]).await.unwrap();
            let _ = stream
                .write_all(
                    format!("HTTP/1.1 {status} R\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").as_bytes(),
                )
                .await;
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
            method: "POST".into(),
            headers: [("authorization", "secret"), ("cookie", "c"), ("x-own", "1")]
                .map(|(n, v)| (n.into(), v.into()))
                .into(),
            content_type: Some("text/own".into()),
            body: Source::Whole("body".into()),
            ..get(&format!("{}{status}", at(port)))
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
        let _ = stream
            .write_all(b"HTTP/1.1 307 R\r\nlocation: /\r\ncontent-length: 0\r\n\r\n")
            .await;
        until_closed(stream).await;
    })
    .await;
    let stream = http_body_util::StreamBody::new(stream::iter([Ok::<_, io::Error>(
        hyper::body::Frame::data(Bytes::from("x")),
    )]));
    let request = FetchRequest {
        method: "POST".into(),
        body: Source::Stream(http_body_util::BodyExt::boxed_unsync(stream)),
        ..get(&at(port))
    };
    let error = fetch(&open(), request, grant(&["*"])).await.err().unwrap();
    assert!(error.contains("can't be sent a second time"), "{error}");
}

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
    let refused = fetch(&hasty, get("http://slow.example/"), grant(&["*"])).await;
    assert_eq!(
        refused.err().unwrap(),
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

/// Sends without end, and counts what went.
async fn endless(first: &'static [u8], then: Vec<u8>) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let port = origin(move |mut stream, _| {
        let (then, count) = (then.clone(), Arc::clone(&count));
        async move {
            let _ = stream.write_all(first).await;
            while stream.write_all(&then).await.is_ok() {
                count.fetch_add(then.len(), std::sync::atomic::Ordering::Relaxed);
            }
        }
    })
    .await;
    (port, sent)
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

async fn says_coded(name: &str, body: Vec<u8>) -> u16 {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {name}\r\ncontent-length: {length}\r\n\r\n");
    says([head.into_bytes(), body].concat()).await
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
        let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
        assert_eq!(body(answer).await.unwrap(), b"", "{name}");
    }
    let text = b"a text that is long enough to be cut in its middle, and varied: 0123456789";
    for (coding, name) in [
        (Coding::Gzip, "gzip"),
        (Coding::Brotli, "br"),
        (Coding::Deflate, "deflate"),
    ] {
        let whole = coded(text, coding).await;
        let port = says_coded(name, whole.clone()).await;
        let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
        assert_eq!(body(answer).await.unwrap(), text, "{name}");
        let port = says_coded(name, whole[..whole.len() / 2].to_vec()).await;
        let error = failure(&open(), &at(port)).await;
        assert!(error.contains("the answer can't be read"), "{name}: {error}");
    }
    let twice = coded(&coded(text, Coding::Brotli).await, Coding::Gzip).await;
    let port = says_coded("br, gzip", twice).await;
    let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
    assert_eq!(body(answer).await.unwrap(), text);
}

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
async fn a_url_that_can_t_be_sent_is_refused_before_anything_is_looked_up() {
    let words = "fetch failed: the path and query of a URL may have at most 65534 bytes";
    let resolver = FakeResolver::of(&[&["127.0.0.1"]]);
    let mut egress = egress("127.0.0.1,example.com", resolver.clone());
    egress.bounds.head = Duration::from_secs(30);
    let long = format!("http://example.com/?{}", "x".repeat(65_533));
    let refused = fetch(&egress, get(&long), grant(&["*"])).await;
    assert_eq!((refused.err().unwrap(), resolver.left()), (words.to_owned(), 1));

    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let longest = format!("{}?{}", at(port), "x".repeat(65_532));
    let answer = fetch(&egress, get(&longest), grant(&["*"])).await.unwrap();
    assert_eq!(body(answer).await.unwrap(), b"ok");
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
async fn the_origin_sees_the_end_of_a_fetch_that_is_over() {
    let (closed, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let port = origin(move |mut stream, head| {
        let closed = closed.clone();
        async move {
            if head.starts_with("GET /body") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\npiece").await;
            }
            closed.send("came").unwrap();
            until_closed(stream).await;
            closed.send("went").unwrap();
        }
    })
    .await;
    let mut egress = open();
    egress.bounds.head = Duration::from_secs(600);
    egress.bounds.idle = Duration::from_secs(600);
    for path in ["head", "body"] {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let grant = Grant {
            ended: Box::pin(async { drop(ended.await) }),
            ..grant(&["*"])
        };
        let share = Share::new(16);
        let fetching = async {
            let answer = egress
                .fetch(get(&format!("{}{path}", at(port))), grant, &share)
                .await;
            let answer = answer.map_err(|error| error.to_string())?;
            body(answer).await
        };
        let ending = async {
            assert_eq!(ends.recv().await, Some("came"));
            end.send(()).unwrap();
            assert_eq!(ends.recv().await, Some("went"));
        };
        let (outcome, ()) = tokio::join!(fetching, ending);
        assert_eq!(
            outcome.unwrap_err(),
            "the hook or route that made this call is over"
        );
        assert_eq!(
            share.connections.available_permits(),
            bounds::Share::new(16).connections.available_permits()
        );
    }
    // Nobody reads its body.
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let unread = Grant {
        ended: Box::pin(async { drop(ended.await) }),
        ..grant(&["*"])
    };
    let share = Share::new(1);
    let answer = egress
        .fetch(get(&format!("{}body", at(port))), unread, &share)
        .await
        .unwrap();
    assert_eq!(ends.recv().await, Some("came"));
    end.send(()).unwrap();
    assert_eq!(ends.recv().await, Some("went"));
    assert_eq!(share.connections.available_permits(), 1);
    assert_eq!(
        body(answer).await.unwrap_err(),
        "the hook or route that made this call is over"
    );

    // Dropped by whoever asked.
    let fetching = fetch(&egress, get(&format!("{}head", at(port))), grant(&["*"]));
    tokio::select! {
        _ = fetching => panic!("it never answers"),
        came = ends.recv() => assert_eq!(came, Some("came")),
    }
    assert_eq!(ends.recv().await, Some("went"));
}

#[tokio::test]
async fn a_request_body_past_its_cap_is_cut_while_it_streams() {
    let port = origin(|stream, _| until_closed(stream)).await;
    let pieces =
        stream::repeat_with(|| Ok::<_, io::Error>(hyper::body::Frame::data(Bytes::from(vec![0; 4096]))));
    let request = FetchRequest {
        method: "POST".into(),
        body: Source::Stream(http_body_util::BodyExt::boxed_unsync(
            http_body_util::StreamBody::new(pieces),
        )),
        ..get(&at(port))
    };
    let error = fetch(&open(), request, grant(&["*"])).await.err().unwrap();
    assert_eq!(error, "The body of a request may have at most 100000 bytes");
}

#[tokio::test]
async fn tls_trusts_the_roots_and_the_name_and_nothing_else() {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(vec![]).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer_cert = root.self_signed(&root_key).unwrap();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["origin.test".to_owned(), "127.0.0.1".to_owned()];
    let leaf = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                head(&mut stream).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
                    .await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let trusting = |name: &str| Egress {
        trust: Trust::only(issuer_cert.der().clone()),
        ..egress(name, FakeResolver::of(&[&["127.0.0.1"]]))
    };
    for host in ["origin.test", "127.0.0.1", "origin.test."] {
        let answer = fetch(
            &trusting("origin.test,127.0.0.1"),
            get(&format!("https://{host}:{port}/")),
            grant(&["*"]),
        )
        .await;
        assert_eq!(body(answer.unwrap()).await.unwrap(), b"secret", "{host}");
    }
    let other = fetch(
        &trusting("other.test"),
        get(&format!("https://other.test:{port}/")),
        grant(&["*"]),
    )
    .await;
    let words = other.err().unwrap();
    assert!(
        words.starts_with("fetch failed: no TLS with other.test: ") && words.contains("not valid for name"),
        "{words}"
    );
    let unknown = Egress {
        trust: Trust::only(
            rcgen::generate_simple_self_signed(vec![])
                .unwrap()
                .cert
                .der()
                .clone(),
        ),
        ..egress("origin.test", FakeResolver::of(&[&["127.0.0.1"]]))
    };
    let words = fetch(
        &unknown,
        get(&format!("https://origin.test:{port}/")),
        grant(&["*"]),
    )
    .await
    .err()
    .unwrap();
    assert!(
        words.starts_with("fetch failed: no TLS with origin.test: invalid peer certificate"),
        "{words}"
    );
}

#[tokio::test]
async fn the_connections_of_one_plugin_are_bounded_and_the_next_fetch_waits_for_one() {
    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let (egress, share) = (open(), Share::new(crate::limits::CONNECTIONS));
    assert_eq!(share.connections.available_permits(), 16, "as documented");
    let mut held = Vec::new();
    while share.connections.available_permits() > 0 {
        held.push(egress.fetch(get(&at(port)), grant(&["*"]), &share).await.unwrap());
    }
    let next = egress.fetch(get(&at(port)), grant(&["*"]), &share);
    tokio::pin!(next);
    assert!(futures_util::poll!(&mut next).is_pending());
    assert_eq!(body(held.pop().unwrap()).await.unwrap(), b"ok");
    next.await.unwrap();
    let other = Share::new(16);
    egress.fetch(get(&at(port)), grant(&["*"]), &other).await.unwrap();
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 512, failure_persistence: None, ..Default::default() })]

    /// Whatever the text, either it is refused or every address that would be connected to is one of the internet.
    #[test]
    fn no_host_string_leads_to_a_forbidden_address(
        host in proptest::prop_oneof![
            "[0-9a-fxA-FX.:%\\[\\]]{1,24}",
            "(0x?)?[0-9a-f]{1,10}(\\.(0x?)?[0-9a-f]{0,4}){0,3}\\.?",
            "\\[([0-9a-f]{0,4}:){1,7}([0-9a-f]{0,4}|[0-9]{1,3}(\\.[0-9]{1,3}){3})(%[a-z0-9]{1,4})?\\]",
            "\\PC{1,16}",
        ],
        found in proptest::collection::vec(proptest::prelude::any::<IpAddr>(), 0..3),
    ) {
        let Ok(url) = Url::parse(&format!("http://{host}/")) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let approved = runtime.block_on(async {
            let permit = Share::new(16).look_ups.acquire_owned().await.unwrap();
            let resolver = Fixed(found.clone());
            approve(&url, &Reach::new("p", true, &[]), &PrivateHosts::default(), &resolver, permit).await
        });
        if let Ok(approved) = approved {
            for address in approved.addresses() {
                proptest::prop_assert_eq!(address::classify(address.ip()), address::AddressClass::Global);
                let is_literal = private_hosts::literal(&url) == Some(address.ip());
                proptest::prop_assert!(is_literal || found.contains(&address.ip()));
            }
        }
    }
}

#[derive(Debug)]
struct Fixed(Vec<IpAddr>);

impl Resolve for Fixed {
    fn resolve(&self, _: String, _permit: OwnedSemaphorePermit) -> Answers {
        let found = self.0.clone();
        Box::pin(async move { Ok(found) })
    }
}

/// Never answers.
#[derive(Debug)]
struct Silent;

impl Resolve for Silent {
    fn resolve(&self, _: String, _permit: OwnedSemaphorePermit) -> Answers {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn what_a_server_says_past_its_length_is_not_read_and_two_lengths_are_none() {
    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nmore").await;
    let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
    assert_eq!(body(answer).await.unwrap(), b"ok");

    // Who says both means chunks (RFC 9112, 6.3); each hop has a connection of its own, so nothing can hide behind them.
    let both =
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore";
    let port = says(both).await;
    let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
    assert_eq!(body(answer).await.unwrap(), b"ok");
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
    let request = FetchRequest {
        method: "POST".into(),
        body: Source::Whole(vec![0; 32 * 1024 * 1024].into()),
        ..get(&at(port))
    };
    let error = fetch(&egress, request, grant(&["*"])).await.err().unwrap();
    assert_eq!(error, "fetch failed: the head of the answer took more than 0.3 s");
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
        let answer = fetch(&open(), get(&at(port)), grant(&["*"])).await.unwrap();
        assert!(body(answer).await.unwrap() == whole, "{name}");
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
async fn a_whole_body_past_the_cap_is_refused_before_anything_is_looked_up() {
    let resolver = FakeResolver::of(&[&["127.0.0.1"]]);
    let egress = egress("example.com", resolver.clone());
    let mut request = get("http://example.com/");
    request.method = "POST".into();
    request.body = Source::Whole(vec![0; 100_001].into());
    let refused = fetch(&egress, request, grant(&["example.com"])).await.map(|_| ());
    assert_eq!(refused, Err(FetchError::RequestTooLarge(100_000).to_string()));
    assert_eq!(resolver.left(), 1);
}
