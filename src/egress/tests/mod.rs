//! The whole way out, to origins on loopback that behave, and that do not.

mod addresses;
mod answers;
mod ends;
mod redirects;
mod requests;
mod servers;
mod tls;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::Stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

fn post(url: &str, body: Source) -> FetchRequest {
    FetchRequest {
        method: "POST".into(),
        body,
        ..get(url)
    }
}

/// A body that can be sent but once.
fn streamed(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Source {
    let frames = pieces.map(|piece| Ok::<_, io::Error>(Frame::data(piece)));
    Source::Stream(StreamBody::new(frames).boxed_unsync())
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

/// The words in which `request` is refused, by a plugin that may go to these hosts.
async fn refusal(egress: &Egress, request: FetchRequest, hosts: &[&str]) -> String {
    let answer = fetch(egress, request, grant(hosts)).await;
    answer.err().expect("it was let through")
}

/// What comes from there, whole.
async fn got(egress: &Egress, url: &str) -> Vec<u8> {
    let answer = fetch(egress, get(url), grant(&["*"])).await;
    body(answer.unwrap()).await.unwrap()
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
