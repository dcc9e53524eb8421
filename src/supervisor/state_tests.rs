//! Every state against every input, by table; and random sequences of inputs against what must always hold.

use std::time::Duration;

use super::*;

type S = &'static str;
type TestState = State<S, u8>;
type TestInput = Input<S, u8>;
type TestEffect = Effect<S, u8>;

const SECOND: Duration = Duration::from_secs(1);

/// One of each state, two where the time matters. Where calls wait, 1 may no longer and 2 may for a second.
fn states(now: Instant) -> Vec<(&'static str, TestState)> {
    let waiting = || Waiting::from([(1, now), (2, now + SECOND)]);
    let failed = |retry_at| State::Failed {
        reason: "boom".into(),
        retry_at,
    };
    let open = |until| State::Open {
        reason: "boom".into(),
        until,
    };
    let resting = |until| State::Resting {
        waiting: waiting(),
        until,
    };
    vec![
        ("idle", State::Idle),
        ("starting", State::Starting { waiting: waiting() }),
        ("serving", State::Serving("p")),
        ("resting", resting(now + SECOND)),
        ("resting, time to start", resting(now)),
        ("failed", failed(now + SECOND)),
        ("failed, time to retry", failed(now)),
        ("open", open(now + SECOND)),
        ("open, time to try", open(now)),
        ("probing", State::Probing { waiting: waiting() }),
        (
            "half-open",
            State::HalfOpen {
                session: "p",
                waiting: waiting(),
            },
        ),
        ("draining", State::Draining("p")),
        ("ended", State::Ended),
    ]
}

/// From each state of [`states`], in that order: where the input leads and what is to be done.
fn check(input: impl Fn(Instant) -> TestInput, expected: [(&str, Vec<TestEffect>); 13]) {
    let now = Instant::now();
    for ((from, mut state), (to, wanted)) in states(now).into_iter().zip(expected) {
        let mut effects = Vec::new();
        state.step(input(now), now, &mut effects);
        assert_eq!((state.name(), effects), (to, wanted), "from {from}");
    }
}

/// As [`check`], for an input that matters in a few states only: the others stay as they are and nothing is done.
fn check_only(input: impl Fn(Instant) -> TestInput, expected: &[(&str, &str, Vec<TestEffect>)]) {
    let (now, nothing) = (Instant::now(), Vec::new());
    for (from, mut state) in states(now) {
        let name = state.name();
        let (to, wanted) = expected
            .iter()
            .find(|(matters, ..)| *matters == from)
            .map_or((name, &nothing), |(_, to, wanted)| (*to, wanted));
        let mut effects = Vec::new();
        state.step(input(now), now, &mut effects);
        assert_eq!((state.name(), &effects), (to, wanted), "from {from}");
    }
}

fn refused(call: u8, reason: &str) -> TestEffect {
    Effect::Refuse(call, reason.into())
}

fn both_refused(reason: &str) -> Vec<TestEffect> {
    vec![refused(1, reason), refused(2, reason)]
}

fn both_sent() -> Vec<TestEffect> {
    vec![Effect::Send(1), Effect::Send(2)]
}

fn joined(first: Vec<TestEffect>, then: Vec<TestEffect>) -> Vec<TestEffect> {
    first.into_iter().chain(then).collect()
}

fn stop_new() -> Vec<TestEffect> {
    vec![Effect::Stop("new")]
}

#[test]
fn a_call_starts_waits_is_sent_or_is_refused() {
    let wait = "boom; it failed too often, so the next try is in 1 s";
    check(
        |now| Input::Call(9, now + SECOND),
        [
            ("starting", vec![Effect::Start]),
            ("starting", vec![]),
            ("serving", vec![Effect::Send(9)]),
            ("resting", vec![]),
            ("resting", vec![]),
            ("failed", vec![refused(9, "boom")]),
            ("starting", vec![Effect::Start]),
            ("open", vec![refused(9, wait)]),
            ("probing", vec![Effect::Start]),
            ("probing", vec![]),
            ("half-open", vec![]),
            ("draining", vec![refused(9, UNLOADED)]),
            ("ended", vec![refused(9, UNLOADED)]),
        ],
    );
}

#[test]
fn a_start_serves_those_who_wait_or_the_one_who_tries_and_is_stopped_where_nobody_does() {
    check(
        |_| Input::Started("new"),
        [
            ("idle", stop_new()),
            ("serving", both_sent()),
            ("serving", stop_new()),
            ("resting", stop_new()),
            ("resting", stop_new()),
            ("failed", stop_new()),
            ("failed", stop_new()),
            ("open", stop_new()),
            ("open", stop_new()),
            ("half-open", vec![Effect::Send(1)]),
            ("half-open", stop_new()),
            ("draining", stop_new()),
            ("ended", stop_new()),
        ],
    );
}

#[test]
fn a_failed_start_tells_all_who_wait_why_and_goes_where_the_verdict_says() {
    let fails = |verdict| {
        move |_| Input::StartFailed {
            reason: "broken".into(),
            verdict,
        }
    };
    let later = Instant::now() + SECOND;
    for (verdict, to) in [
        (Verdict::Retry(later), "failed"),
        (Verdict::Open(later), "open"),
        (Verdict::Restart(later), "resting"),
    ] {
        check_only(
            fails(verdict),
            &[
                ("starting", to, both_refused("broken")),
                ("probing", to, both_refused("broken")),
            ],
        );
    }
}

#[test]
fn a_process_that_is_gone_goes_where_the_verdict_says() {
    let later = Instant::now() + 60 * SECOND;
    let stop = || vec![Effect::Stop("p")];
    let stop_and_refuse = || joined(stop(), both_refused("died"));
    for (verdict, to) in [
        (Verdict::Retry(later), "failed"),
        (Verdict::Open(later), "open"),
        (Verdict::Restart(later), "resting"),
    ] {
        let gone = |_| Input::Gone {
            reason: "died".into(),
            verdict,
        };
        check_only(
            gone,
            &[
                ("serving", to, stop()),
                ("half-open", to, stop_and_refuse()),
                ("draining", "ended", stop()),
            ],
        );
    }
    let at_once = |now| Input::Gone {
        reason: "died".into(),
        verdict: Verdict::Restart(now),
    };
    check_only(
        at_once,
        &[
            ("serving", "starting", joined(stop(), vec![Effect::Start])),
            (
                "half-open",
                "starting",
                joined(stop_and_refuse(), vec![Effect::Start]),
            ),
            ("draining", "ended", stop()),
        ],
    );
}

#[test]
fn when_time_has_passed_the_late_are_refused_and_who_rests_starts() {
    let late = || vec![refused(1, NOT_READY)];
    check_only(
        |_| Input::Tick,
        &[
            ("starting", "starting", late()),
            ("resting", "resting", late()),
            (
                "resting, time to start",
                "starting",
                joined(late(), vec![Effect::Start]),
            ),
            ("probing", "probing", late()),
            ("half-open", "half-open", late()),
        ],
    );
}

#[test]
fn an_answer_closes_the_breaker_for_those_who_wait() {
    let recovered = joined(vec![Effect::Recovered], both_sent());
    check_only(|_| Input::Answered, &[("half-open", "serving", recovered)]);
}

#[test]
fn a_process_that_nobody_uses_stops_and_only_one_that_serves() {
    check_only(|_| Input::Unused, &[("serving", "idle", vec![Effect::Stop("p")])]);
}

#[test]
fn a_worn_process_is_replaced_and_only_one_that_serves() {
    let replaced = joined(vec![Effect::Stop("p")], vec![Effect::Start]);
    check_only(|_| Input::Worn, &[("serving", "starting", replaced)]);
}

#[test]
fn unloading_refuses_who_waits_and_lets_who_runs_end() {
    let cancelled = || joined(vec![Effect::CancelStart], both_refused(UNLOADED));
    check(
        |_| Input::Terminate,
        [
            ("ended", vec![]),
            ("ended", cancelled()),
            ("draining", vec![]),
            ("ended", both_refused(UNLOADED)),
            ("ended", both_refused(UNLOADED)),
            ("ended", vec![]),
            ("ended", vec![]),
            ("ended", vec![]),
            ("ended", vec![]),
            ("ended", cancelled()),
            ("draining", both_refused(UNLOADED)),
            ("draining", vec![]),
            ("ended", vec![]),
        ],
    );
}

#[test]
fn drained_means_something_while_draining_only() {
    check_only(
        |_| Input::Drained,
        &[("draining", "ended", vec![Effect::Stop("p")])],
    );
}

#[test]
fn a_tick_is_due_when_the_first_who_waits_is_late_or_the_rest_is_over() {
    let now = Instant::now();
    for (name, state) in states(now) {
        let due = match name {
            "starting" | "resting" | "resting, time to start" | "probing" | "half-open" => Some(now),
            _ => None,
        };
        assert_eq!(state.next_tick(), due, "{name}");
    }
    let resting: TestState = State::Resting {
        waiting: Waiting::new(),
        until: now + SECOND,
    };
    assert_eq!(resting.next_tick(), Some(now + SECOND));
}

#[test]
fn the_breaker_lets_the_process_serve_when_the_one_who_was_to_try_has_given_up() {
    let (now, mut effects) = (Instant::now(), Vec::new());
    let mut state: TestState = State::Probing {
        waiting: Waiting::new(),
    };
    state.step(Input::Started("new"), now, &mut effects);
    assert_eq!((state.name(), effects), ("serving", vec![]));
}

/// What an actor would hold: it does what the effects say, and knows what must hold whatever comes.
#[derive(Default)]
struct World {
    is_starting: bool,
    running: usize,
    waiting: std::collections::HashSet<u8>,
    is_terminated: bool,
}

impl World {
    fn apply(&mut self, effect: TestEffect) {
        match effect {
            Effect::Start => {
                assert!(!self.is_terminated, "an unloaded plugin never starts");
                assert!(!self.is_starting && self.running == 0, "one process at a time");
                self.is_starting = true;
            }
            Effect::CancelStart => {
                assert!(self.is_starting, "what is given up was under way");
                self.is_starting = false;
            }
            Effect::Stop(_) => {
                assert_eq!(self.running, 1, "what is stopped ran");
                self.running = 0;
            }
            Effect::Send(call) => {
                assert_eq!(self.running, 1, "a call is sent to a process");
                assert!(self.waiting.remove(&call), "a call is sent once");
            }
            Effect::Refuse(call, _) => assert!(self.waiting.remove(&call), "a call is refused once"),
            Effect::Recovered => {}
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_happens_every_call_ends_once_and_no_process_is_left(
        steps in proptest::collection::vec((0_u8..11, 0_u64..3000), 1..80)
    ) {
        let (mut now, mut state, mut world) = (Instant::now(), TestState::Idle, World::default());
        let mut next_call = 0_u8;
        for (choice, gap) in steps.into_iter().chain([(8, 0), (9, 0)]) {
            now += Duration::from_millis(gap);
            let later = now + Duration::from_millis(gap);
            let verdict = match gap % 3 {
                0 => Verdict::Restart(later),
                1 => Verdict::Retry(later),
                _ => Verdict::Open(later),
            };
            let reason = || "reason".to_owned();
            let input = match choice {
                // An actor tells only what can be: a start that is under way ends, a process that runs dies.
                0..=2 => {
                    next_call = next_call.wrapping_add(1);
                    world.waiting.insert(next_call);
                    Input::Call(next_call, now + SECOND)
                }
                3 if world.is_starting => {
                    (world.is_starting, world.running) = (false, 1);
                    Input::Started("p")
                }
                4 if world.is_starting => {
                    world.is_starting = false;
                    Input::StartFailed { reason: reason(), verdict }
                }
                5 if world.running == 1 => Input::Gone { reason: reason(), verdict },
                6 => Input::Answered,
                7 => Input::Unused,
                8 => {
                    world.is_terminated = true;
                    Input::Terminate
                }
                9 if world.is_terminated => Input::Drained,
                10 => Input::Worn,
                _ => Input::Tick,
            };
            let mut effects = Vec::new();
            state.step(input, now, &mut effects);
            for effect in effects {
                world.apply(effect);
            }
            assert_eq!(state.session().is_some(), world.running == 1, "in {}", state.name());
            let starts = matches!(state, State::Starting { .. } | State::Probing { .. });
            assert_eq!(starts, world.is_starting, "in {}", state.name());
            if let Some(tick) = state.next_tick() {
                assert!(!matches!(state, State::Ended) && tick <= now + 60 * SECOND);
            } else {
                assert!(world.waiting.is_empty() || world.is_starting, "who waits is waited for");
            }
        }
        assert!(matches!(state, State::Ended));
        assert!(world.waiting.is_empty() && world.running == 0 && !world.is_starting);
    }
}
