//! When a fetch is over, and how many there may be at a time.

use super::*;

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
