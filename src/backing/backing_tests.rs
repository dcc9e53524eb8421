//! The server on its real socket, talked to by this process as if it were a plugin's.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::channel::{Delivery, Received};
use crate::egress::{Bounds, PrivateHosts, Share};
use crate::token::Claims;

fn claims(load: u64) -> Claims {
    Claims {
        plugin_id: "p".into(),
        version: "1".into(),
        capabilities: vec![],
        allowed_hosts: vec![],
        storage_collections: vec![],
        load,
    }
}

fn egress() -> Arc<Egress> {
    Arc::new(Egress::new(PrivateHosts::default(), Bounds::new(1024)))
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

#[allow(clippy::disallowed_methods, reason = "a test, to its own server")]
async fn connect(server: &BackingServer) -> Box<dyn Connection> {
    match server.address() {
        #[cfg(target_os = "linux")]
        BackingAddress::Unix(socket) => Box::new(socket.connect().await.unwrap()),
        BackingAddress::Tcp(port) => Box::new(TcpStream::connect(("127.0.0.1", *port)).await.unwrap()),
    }
}

fn start(transport: Transport, key: &Key) -> BackingServer {
    BackingServer::start(transport, key.clone(), egress()).unwrap()
}

async fn ask(server: &BackingServer, request: String) -> String {
    let mut stream = connect(server).await;
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer)
        .unwrap()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn post(token: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: b\r\nconnection: close\r\n{TOKEN_HEADER}: {token}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "of Unix sockets, by which a caller's process is known"
)]
async fn a_plugins_own_process_delivers_frames_and_nobody_else_does() {
    let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
    let server = start(Transport::DEFAULT, &key);
    let (delivery, mut inbox) = Delivery::new(Share::new(1));
    let us = std::process::id();
    let token = key.sign(&claims(1));
    let (token, stranger) = (token.expose(), "HTTP/1.1 401 Unauthorized");

    assert_eq!(
        ask(&server, post(token, "/frames", "x")).await,
        stranger,
        "the load has no process yet"
    );

    let admission = server.admit(1, us, delivery.clone());
    assert_eq!(
        ask(&server, post(token, "/frames", "{\"a\":1}")).await,
        "HTTP/1.1 204 No Content"
    );
    let Some(Received::Frame(frame)) = inbox.recv().await else {
        panic!("no frame")
    };
    assert_eq!(frame.as_str(), "{\"a\":1}");

    assert_eq!(
        ask(&server, post(other.sign(&claims(1)).expose(), "/frames", "x")).await,
        stranger
    );
    assert_eq!(
        ask(&server, post(key.sign(&claims(2)).expose(), "/frames", "x")).await,
        stranger
    );
    assert_eq!(ask(&server, post("", "/frames", "x")).await, stranger);
    assert_eq!(
        ask(&server, post(token, "/other", "x")).await,
        "HTTP/1.1 404 Not Found"
    );

    let _next_process = server.admit(1, us + 1, delivery);
    assert_eq!(
        ask(&server, post(token, "/frames", "x")).await,
        stranger,
        "the right token of another process"
    );
    drop(admission);
    assert!(
        server.admissions.find(token, Caller::Process(us + 1)).is_some(),
        "the end of the old process leaves the new one admitted"
    );
}

#[tokio::test]
async fn on_a_port_the_token_alone_says_who_speaks() {
    let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
    let server = start(Transport::Tcp, &key);
    let (delivery, mut inbox) = Delivery::new(Share::new(1));
    let token = key.sign(&claims(1));
    let stranger = "HTTP/1.1 401 Unauthorized";
    assert_eq!(
        ask(&server, post(token.expose(), "/frames", "x")).await,
        stranger,
        "the load has no process"
    );
    let admission = server.admit(1, 4711, delivery);
    let served = ask(&server, post(token.expose(), "/frames", "mine")).await;
    assert_eq!(served, "HTTP/1.1 204 No Content");
    assert!(matches!(inbox.recv().await, Some(Received::Frame(text)) if text.as_str() == "mine"));
    let without = post("", "/frames", "x").replace(&format!("{TOKEN_HEADER}: \r\n"), "");
    let forged = other.sign(&claims(1));
    let cut = &token.expose()[1..];
    for request in [
        without,
        post("", "/frames", "x"),
        post(cut, "/frames", "x"),
        post(forged.expose(), "/fetch", "x"),
    ] {
        assert_eq!(ask(&server, request).await, stranger);
    }
    drop(admission);
    assert_eq!(ask(&server, post(token.expose(), "/frames", "x")).await, stranger);
    assert!(inbox.try_recv().is_err(), "no stranger was heard");
}

#[tokio::test]
async fn strangers_on_a_port_are_hung_up_on_and_their_number_is_bounded() {
    let key = Key::generate().unwrap();
    let server = start(Transport::Tcp, &key);
    let mut refused = connect(&server).await;
    // It would like to be served again.
    let request = post("guess", "/frames", "x").replace("connection: close\r\n", "");
    refused.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    refused.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    let (delivery, _inbox) = Delivery::new(Share::new(1));
    let _admission = server.admit(1, 4711, delivery);
    let token = key.sign(&claims(1));
    let mut known = connect(&server).await;
    let request = post(token.expose(), "/frames", "four").replace("connection: close\r\n", "");
    known.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    known.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 204 No");

    let mut strangers = Vec::new();
    for _ in 0..connections::MAX_CONNECTIONS {
        strangers.push(connect(&server).await);
    }
    let mut last = connect(&server).await;
    assert_eq!(last.read(&mut [0]).await.unwrap(), 0, "there is no place left");
    known.write_all(request.as_bytes()).await.unwrap();
    let mut rest = vec![0; 400];
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains("HTTP/1.1 204 No Content") {
        let length = known.read(&mut rest).await.unwrap();
        assert_ne!(length, 0, "who has shown a token keeps its place");
        told.extend_from_slice(&rest[..length]);
    }
}

#[tokio::test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "of Unix sockets, by which a caller's process is known"
)]
async fn a_body_past_the_limit_and_one_that_is_no_text_are_refused() {
    let key = Key::generate().unwrap();
    let server = start(Transport::DEFAULT, &key);
    let (delivery, _inbox) = Delivery::new(Share::new(1));
    let _admission = server.admit(1, std::process::id(), delivery);
    let token = key.sign(&claims(1));

    let large = "x".repeat(MAX_LARGE_FRAME_BYTES + 1);
    assert_eq!(
        ask(&server, post(token.expose(), "/frames", &large)).await,
        "HTTP/1.1 413 Payload Too Large"
    );

    let mut stream = connect(&server).await;
    let head = post(token.expose(), "/frames", "").replace("content-length: 0", "content-length: 1");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"\xff").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_slow_is_hung_up_on() {
    let key = Key::generate().unwrap();
    let server = start(Transport::DEFAULT, &key);
    let (delivery, _inbox) = Delivery::new(Share::new(1));
    let _admission = server.admit(1, std::process::id(), delivery);
    let token = key.sign(&claims(1));

    let mut heads = connect(&server).await;
    heads
        .write_all(b"POST /frames HTTP/1.1\r\nhost: b\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = heads.read_to_end(&mut answer).await;

    let mut bodies = connect(&server).await;
    let head = post(token.expose(), "/frames", "").replace("content-length: 0", "content-length: 9");
    bodies.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    bodies.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// The first line of what comes back, when all that is sent is what is given.
async fn first_line(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

#[tokio::test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "of Unix sockets, by which a caller's process is known"
)]
async fn who_speaks_is_asked_before_a_body_is_read() {
    let key = Key::generate().unwrap();
    let server = start(Transport::DEFAULT, &key);
    let (delivery, _inbox) = Delivery::new(Share::new(1));
    let _admission = server.admit(1, std::process::id() + 1, delivery);
    // Of another process, and of no load: heads that promise a body which never comes.
    for token in [key.sign(&claims(1)).expose(), "forged"] {
        for path in ["/frames", "/fetch"] {
            let mut stream = connect(&server).await;
            let head = post(token, path, "").replace("content-length: 0", "content-length: 9");
            stream.write_all(head.as_bytes()).await.unwrap();
            assert_eq!(first_line(&mut stream).await, "HTTP/1.1 401 Unauthorized");
        }
    }
}

#[tokio::test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "of Unix sockets, by which a caller's process is known"
)]
async fn a_head_has_room_for_the_longest_token_and_the_longest_fetch_and_no_more() {
    let key = Key::generate().unwrap();
    let server = start(Transport::DEFAULT, &key);
    let both = "t".repeat(512 * 1024);
    assert_eq!(
        ask(&server, post(&both, "/frames", "")).await,
        "HTTP/1.1 401 Unauthorized",
        "it is read, and is nobody's"
    );
    let more = "t".repeat(2 * MAX_HEADER_BYTES);
    assert_eq!(
        ask(&server, post(&more, "/frames", "")).await,
        "HTTP/1.1 431 Request Header Fields Too Large"
    );
}

#[tokio::test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "of Unix sockets, by which a caller's process is known"
)]
async fn one_connection_more_than_there_may_be_is_closed_and_a_place_comes_back() {
    let key = Key::generate().unwrap();
    let server = start(Transport::DEFAULT, &key);
    let (delivery, _inbox) = Delivery::new(Share::new(1));
    let _admission = server.admit(1, std::process::id(), delivery);
    let token = key.sign(&claims(1));
    let mut held = Vec::new();
    for _ in 0..connections::MAX_CONNECTIONS {
        let mut stream = connect(&server).await;
        // Its answer says that it has its place.
        let request = post(token.expose(), "/other", "").replace("connection: close\r\n", "");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(first_line(&mut stream).await, "HTTP/1.1 404 Not Found");
        held.push(stream);
    }
    assert_eq!(ask(&server, post(token.expose(), "/other", "")).await, "");
    drop(held.pop());
    // Until the server has heard of it.
    let mut answer = String::new();
    while answer.is_empty() {
        answer = ask(&server, post(token.expose(), "/other", "")).await;
    }
    assert_eq!(answer, "HTTP/1.1 404 Not Found");
}

fn fetch(token: &str, meta: &str) -> String {
    post(token, "/fetch", "").replace("host: b", &format!("host: b\r\nx-emdash-fetch: {meta}"))
}

#[tokio::test]
async fn a_fetch_is_granted_by_the_actor_and_its_refusal_is_told_again() {
    let key = Key::generate().unwrap();
    let server = start(Transport::DEFAULT, &key);
    let (delivery, mut inbox) = Delivery::new(Share::new(1));
    let us = std::process::id();
    let admission = server.admit(1, us, delivery);
    let token = key.sign(&claims(1));
    let meta =
        "%7B%22fetch%22:7,%22invocation%22:3,%22url%22:%22http://a.example/%22,%22body%22:%22none%22%7D";

    for malformed in ["", "%7B%7D", "%ff", "%7B%22fetch%22:7"] {
        let answer = ask(&server, fetch(token.expose(), malformed)).await;
        assert_eq!(answer, "HTTP/1.1 400 Bad Request", "{malformed}");
    }
    assert_eq!(ask(&server, fetch("", meta)).await, "HTTP/1.1 401 Unauthorized");

    let actor = async {
        let Some(Received::Fetch(asked)) = inbox.recv().await else {
            panic!("no question")
        };
        assert_eq!(asked.invocation, 3);
        asked.reply.send(Err("not you".into())).unwrap();
    };
    let request = fetch(token.expose(), meta);
    let (answer, ()) = tokio::join!(ask(&server, request), actor);
    assert_eq!(answer, "HTTP/1.1 403 Forbidden");
    let reason = post(token.expose(), "/fetch/7", "").replace("POST", "GET");
    assert_eq!(ask(&server, reason.clone()).await, "HTTP/1.1 200 OK");
    assert_eq!(
        ask(&server, reason).await,
        "HTTP/1.1 404 Not Found",
        "a reason is told once"
    );

    drop(inbox);
    assert_eq!(
        ask(&server, fetch(token.expose(), meta)).await,
        "HTTP/1.1 403 Forbidden",
        "nobody is left to grant it"
    );
    drop(admission);
    assert_eq!(
        ask(&server, fetch(token.expose(), meta)).await,
        "HTTP/1.1 401 Unauthorized"
    );
}
