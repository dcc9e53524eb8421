use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::super::host_calls::HostCall;
use super::*;

const STEP: Duration = Duration::from_millis(25);

/// An actor that sleeps for a minute, unless it is changed.
fn deputy() -> (Deputy<()>, UnixStream) {
    let (writer, guest) = Writer::pair();
    let names = Names {
        hooks: vec!["known".into()],
        routes: Vec::new(),
    };
    let deputy = Deputy {
        writer,
        clock: CpuClock::own(false),
        may_use: Duration::MAX,
        names: Arc::new(names),
        calls: HostCalls::default(),
        next: 7,
        in_flight: 0,
        wakes_at: Some(Instant::now() + Duration::from_secs(60)),
        looks_within: STEP,
        begun: Vec::new(),
        answered: Vec::new(),
        is_relieved: false,
    };
    (deputy, guest)
}

fn desk(change: impl FnOnce(&mut Deputy<()>)) -> (Desk<()>, UnixStream) {
    let (mut deputy, guest) = deputy();
    change(&mut deputy);
    let desk = Desk::default();
    desk.leave(|| Some(deputy));
    (desk, guest)
}

fn ask(desk: &Desk<()>) -> Dealt<String> {
    desk.invoke(1, Kind::Hook, "known", "{}".into())
}

/// The text of the next frame, which is a short one.
async fn read(guest: &mut UnixStream) -> String {
    let mut head = [0; 6];
    guest.read_exact(&mut head).await.unwrap();
    let mut text = vec![0; usize::from(head[1] & 0x7f)];
    guest.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

fn host_call(call: u64) -> HostCall {
    HostCall {
        call,
        invocation: 1,
        until: Instant::now() + STEP,
        bytes: 0,
        file: None,
    }
}

fn begin(deputy: &mut Deputy<()>, calls: std::ops::Range<u64>) {
    for call in calls {
        assert!(
            deputy.calls.begin(host_call(call), |_| ()).is_some(),
            "it is its turn"
        );
    }
}

fn value(text: &str) -> Result<Answer, Refusal> {
    Ok(Answer {
        value: Some(text.into()),
        bytes: None,
    })
}

#[tokio::test]
async fn a_small_call_goes_out_at_once_and_is_noted_under_the_number_that_the_actor_will_give_it() {
    let (desk, mut guest) = desk(|_| {});
    for request in [40, 41] {
        let dealt = desk.invoke(request, Kind::Hook, "known", r#"{"event":1}"#.into());
        assert_eq!(
            dealt,
            Dealt::SentAndWake,
            "it sleeps past the time of its next look"
        );
    }
    assert_eq!(
        read(&mut guest).await,
        r#"{"invoke":7,"hook":"known","payload":{"event":1}}"#
    );
    assert_eq!(
        read(&mut guest).await,
        r#"{"invoke":8,"hook":"known","payload":{"event":1}}"#
    );
    assert_eq!(desk.begun(|begun| begun), 2);
    let begun = desk.take(|_| {}).unwrap().begun;
    assert_eq!(
        begun.iter().map(|begun| begun.request).collect::<Vec<_>>(),
        [40, 41]
    );
    assert!(
        begun
            .iter()
            .all(|begun| begun.label == "hook:known" && begun.used > Duration::ZERO)
    );
    assert!(desk.take(|_| {}).is_none(), "it is awake");
}

#[tokio::test]
async fn an_actor_that_wakes_up_in_time_is_not_woken() {
    let (desk, _guest) = desk(|deputy| deputy.wakes_at = Some(Instant::now() + STEP / 2));
    assert_eq!(ask(&desk), Dealt::Sent);
    let (never, _guest) = self::desk(|deputy| deputy.wakes_at = None);
    assert_eq!(ask(&never), Dealt::SentAndWake);
}

#[tokio::test]
async fn what_is_not_simple_is_left_to_the_actor_and_nothing_is_sent() {
    fn back(change: impl FnOnce(&mut Deputy<()>), name: &str, payload: &str) {
        let (desk, guest) = desk(change);
        let dealt = desk.invoke(1, Kind::Hook, name, payload.to_owned());
        assert_eq!(dealt, Dealt::Back(payload.to_owned()));
        assert_eq!(desk.begun(|begun| begun), 0);
        assert!(guest.try_read(&mut [0; 8]).is_err(), "nothing was sent");
    }
    let deep = format!("{}1{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    back(|_| {}, "unknown", "{}");
    back(|_| {}, "known", &"1".repeat(MAX_BYTES + 1));
    back(|_| {}, "known", &deep);
    back(|deputy| deputy.in_flight = MAX_UNDER_WAY, "known", "{}");
    back(|deputy| deputy.clock = CpuClock::own(true), "known", "{}");
    back(|deputy| deputy.may_use = Duration::ZERO, "known", "{}");
    back(|deputy| deputy.is_relieved = true, "known", "{}");
    let empty = Desk::default();
    assert_eq!(ask(&empty), Dealt::Back("{}".into()), "the actor is awake");
}

#[tokio::test]
async fn no_call_and_no_answer_overtakes_what_the_actor_was_given() {
    let (desk, _guest) = desk(|deputy| begin(deputy, 0..2));
    assert_eq!(ask(&desk), Dealt::SentAndWake);
    assert_eq!(desk.relieve(|| "a command"), "a command");
    assert_eq!(ask(&desk), Dealt::Back("{}".into()));
    assert!(matches!(desk.answer(1, value("1")), Dealt::Back(_)));
    assert_eq!(desk.begun(|begun| begun), 1, "what was sent before stays noted");
}

#[tokio::test]
async fn an_answer_goes_out_under_the_guests_number_and_only_once() {
    let (desk, mut guest) = desk(|deputy| {
        deputy.in_flight = 1;
        begin(deputy, 90..93);
    });
    assert_eq!(desk.answer(2, value("[1]")), Dealt::Sent);
    assert_eq!(read(&mut guest).await, r#"{"result":91,"value":[1]}"#);
    assert_eq!(desk.answer(1, Err("no".into())), Dealt::Sent);
    assert_eq!(read(&mut guest).await, r#"{"result":90,"error":"no"}"#);
    let twice = desk.answer(1, value("1"));
    assert!(matches!(twice, Dealt::Back(_)), "nobody waits for it any more");
    let broken = desk.answer(3, value(r#"1,"x":2"#));
    assert!(matches!(broken, Dealt::Back(_)), "it is no JSON value");
}

#[tokio::test]
async fn the_actor_is_woken_by_the_end_of_the_last_operation_that_keeps_its_process_from_being_unused() {
    let (desk, _guest) = desk(|deputy| begin(deputy, 0..2));
    assert_eq!(desk.answer(1, value("1")), Dealt::Sent);
    assert_eq!(desk.answer(2, value("1")), Dealt::SentAndWake);
}
