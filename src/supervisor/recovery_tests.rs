//! The states and the failure policy together, against a clock of their own: what a plugin that fails costs, and that it
//! always comes back.

use std::time::Duration;

use super::*;
use crate::supervisor::restart::{Failure, Failures};

const TICK: Duration = Duration::from_millis(50);

/// A plugin whose process starts at once, and dies with the first call that it is sent while it `is_broken`.
struct Site {
    now: Instant,
    state: State<(), u32>,
    failures: Failures,
    is_broken: bool,
    starts: u32,
    served: u32,
    refused: Vec<String>,
}

impl Site {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            state: State::Idle,
            failures: Failures::default(),
            is_broken: true,
            starts: 0,
            served: 0,
            refused: Vec::new(),
        }
    }

    fn step(&mut self, input: Input<(), u32>) {
        let mut effects = Vec::new();
        self.state.step(input, self.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Start => {
                    self.starts += 1;
                    self.failures.serves(self.now);
                    self.step(Input::Started(()));
                }
                Effect::Send(_) if self.is_broken => self.crash(),
                Effect::Send(_) => {
                    self.served += 1;
                    self.step(Input::Answered);
                }
                Effect::Refuse(_, reason) => self.refused.push(reason),
                Effect::Recovered => self.failures.recovered(),
                Effect::CancelStart | Effect::Stop(()) => {}
            }
        }
    }

    /// The call that was sent fails with it, as do others that were sent with it.
    fn crash(&mut self) {
        self.refused.push("died".into());
        if self.state.session().is_none() {
            return;
        }
        let verdict = self.failures.failed(Failure::Crash, self.now, 1.0);
        let reason = "died".into();
        self.step(Input::Gone { reason, verdict });
    }

    /// One call each tick.
    fn live(&mut self, time: Duration) {
        let end = self.now + time;
        let mut call = 0;
        while self.now < end {
            self.now += TICK;
            self.step(Input::Tick);
            call += 1;
            self.step(Input::Call(call, self.now + Duration::from_secs(5)));
        }
    }
}

#[test]
fn a_plugin_that_dies_of_every_call_costs_a_handful_of_processes_and_then_one_for_each_try() {
    let mut site = Site::new();
    site.live(Duration::from_secs(3600));
    // Five open the breaker. Its tries come after 5, 10, 20, 40, 80, 160 s, and then every 300 s: 10 more in the hour.
    assert!((5 + 6 + 8..=5 + 6 + 12).contains(&site.starts), "{}", site.starts);
    assert_eq!(site.served, 0);
    let calls = 3600 * 20;
    assert_eq!(site.refused.len() + site.state.waiting(), calls);
    let open = |reason: &&String| reason.starts_with("died; it failed too often, so the next try is in ");
    assert!(site.refused.iter().filter(open).count() > calls - 100);
}

#[test]
fn one_that_is_mended_serves_again_within_the_longest_opening_whenever_that_is() {
    for minutes in [0, 1, 2, 5, 10, 60, 600] {
        let mut site = Site::new();
        site.live(Duration::from_secs(30 + minutes * 60));
        site.is_broken = false;
        site.live(Duration::from_secs(301));
        assert!(site.served > 0, "after {minutes} minutes");
        assert_eq!(site.state.name(), "serving");
        // And then it is as good as any: the next crash costs no more than a start.
        site.crash();
        assert_eq!(site.state.name(), "serving");
    }
}
