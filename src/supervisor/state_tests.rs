//! Every state against every input, by table.

use std::time::Duration;

use super::*;

type S = &'static str;
type TestState = State<S, u8>;
type TestInput = Input<S, u8>;

fn states(now: Instant) -> Vec<(&'static str, TestState)> {
    let failed = |retry_at| State::Failed {
        reason: "boom".into(),
        retry_at,
    };
    vec![
        ("idle", State::Idle),
        ("starting", State::Starting { waiting: vec![1, 2] }),
        ("serving", State::Serving("p")),
        ("failed", failed(now + Duration::from_secs(1))),
        ("failed, time to retry", failed(now)),
        ("draining", State::Draining("p")),
        ("ended", State::Ended),
    ]
}

fn name(state: &TestState) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Starting { .. } => "starting",
        State::Serving(_) => "serving",
        State::Failed { .. } => "failed",
        State::Draining(_) => "draining",
        State::Ended => "ended",
    }
}

/// From each state of [`states`], in that order: where the input leads and what is to be done.
fn check(input: impl Fn(Instant) -> TestInput, expected: [(&str, Vec<Effect<S, u8>>); 7]) {
    let now = Instant::now();
    for ((from, mut state), (to, wanted)) in states(now).into_iter().zip(expected) {
        let mut effects = Vec::new();
        state.step(input(now), now, &mut effects);
        assert_eq!((name(&state), effects), (to, wanted), "from {from}");
    }
}

fn refused(call: u8, reason: &str) -> Effect<S, u8> {
    Effect::Refuse(call, reason.into())
}

#[test]
fn a_call_starts_waits_is_sent_or_is_refused() {
    check(
        |_| Input::Call(9),
        [
            ("starting", vec![Effect::Start]),
            ("starting", vec![]),
            ("serving", vec![Effect::Send(9)]),
            ("failed", vec![refused(9, "boom")]),
            ("starting", vec![Effect::Start]),
            ("draining", vec![refused(9, UNLOADED)]),
            ("ended", vec![refused(9, UNLOADED)]),
        ],
    );
}

#[test]
fn a_start_serves_those_who_wait_and_is_stopped_where_nobody_does() {
    check(
        |_| Input::Started("new"),
        [
            ("idle", vec![Effect::Stop("new")]),
            ("serving", vec![Effect::Send(1), Effect::Send(2)]),
            ("serving", vec![Effect::Stop("new")]),
            ("failed", vec![Effect::Stop("new")]),
            ("failed", vec![Effect::Stop("new")]),
            ("draining", vec![Effect::Stop("new")]),
            ("ended", vec![Effect::Stop("new")]),
        ],
    );
}

#[test]
fn a_failed_start_tells_all_who_wait_why() {
    let input = |now| Input::StartFailed {
        reason: "broken".into(),
        retry_at: now,
    };
    check(
        input,
        [
            ("idle", vec![]),
            ("failed", vec![refused(1, "broken"), refused(2, "broken")]),
            ("serving", vec![]),
            ("failed", vec![]),
            ("failed", vec![]),
            ("draining", vec![]),
            ("ended", vec![]),
        ],
    );
}

#[test]
fn a_process_that_is_gone_leaves_the_plugin_ready_to_start_again() {
    check(
        |_| Input::Gone,
        [
            ("idle", vec![]),
            ("starting", vec![]),
            ("idle", vec![Effect::Stop("p")]),
            ("failed", vec![]),
            ("failed", vec![]),
            ("ended", vec![Effect::Stop("p")]),
            ("ended", vec![]),
        ],
    );
}

#[test]
fn unloading_refuses_who_waits_and_lets_who_runs_end() {
    check(
        |_| Input::Terminate,
        [
            ("ended", vec![]),
            (
                "ended",
                vec![Effect::CancelStart, refused(1, UNLOADED), refused(2, UNLOADED)],
            ),
            ("draining", vec![]),
            ("ended", vec![]),
            ("ended", vec![]),
            ("draining", vec![]),
            ("ended", vec![]),
        ],
    );
}

#[test]
fn drained_means_something_while_draining_only() {
    check(
        |_| Input::Drained,
        [
            ("idle", vec![]),
            ("starting", vec![]),
            ("serving", vec![]),
            ("failed", vec![]),
            ("failed", vec![]),
            ("ended", vec![Effect::Stop("p")]),
            ("ended", vec![]),
        ],
    );
}
