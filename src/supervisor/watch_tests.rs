use std::cell::Cell;

use super::*;
use crate::limits::{Given, Wanted};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A process as the tests want it, and when its kernel would end it.
struct Fake {
    used: Cell<Duration>,
    bound: Cell<Duration>,
    has_ended: Cell<bool>,
    readings: Cell<u32>,
}

impl Fake {
    fn uses(&self, more: Duration) {
        self.used.set(self.used.get() + more);
    }
}

impl Meter for Fake {
    fn cpu_time(&self) -> std::io::Result<Duration> {
        self.readings.set(self.readings.get() + 1);
        match self.has_ended.get() {
            true => Err(std::io::ErrorKind::NotFound.into()),
            false => Ok(self.used.get()),
        }
    }

    fn bound_cpu(&self, total: Duration) -> std::io::Result<()> {
        self.bound.set(total);
        Ok(())
    }

    fn memory(&self) -> std::io::Result<Memory> {
        Ok(Memory { data: 0, own: 0 })
    }
}

fn watched(cpu_ms: f64) -> (Watch, Fake, Instant) {
    watched_up_to(cpu_ms, None)
}

fn watched_up_to(cpu_ms: f64, ceiling: Option<u64>) -> (Watch, Fake, Instant) {
    let given = |value| {
        Some(Given {
            name: "x".into(),
            value,
        })
    };
    let wanted = Wanted {
        cpu_ms: given(cpu_ms),
        wall_time_ms: given(30_000.0),
        ..Wanted::default()
    };
    let fake = Fake {
        used: Cell::new(ms(30)),
        bound: Cell::default(),
        has_ended: Cell::default(),
        readings: Cell::default(),
    };
    let now = Instant::now();
    let limits = Limits::new(wanted).unwrap();
    let watch = Watch::new(
        &fake,
        &limits,
        Bounded {
            own_at_first: 0,
            ceiling,
        },
        now,
    )
    .unwrap();
    (watch, fake, now)
}

/// Looks whenever a look is due, at a process that uses `per_ms` of the processor for each millisecond; how much it had
/// used, and how many looks there were, when somebody was overdrawn.
fn spin(watch: &mut Watch, fake: &Fake, mut now: Instant, threads: u32) -> (Duration, u32) {
    for looks in 1.. {
        let next = watch.next_look().expect("somebody looks");
        fake.uses((next - now) * threads);
        now = next;
        if watch.look(fake, now).is_some() {
            return (fake.used.get(), looks);
        }
    }
    unreachable!("it never ends");
}

#[test]
fn a_limit_is_passed_by_no_more_than_the_shortest_step_whatever_it_is() {
    for limit in [1, 7, 50, 333, 1000, 20_000] {
        let (mut watch, fake, now) = watched(limit as f64);
        watch.begin(&fake, 1, now);
        let (used, looks) = spin(&mut watch, &fake, now, 1);
        let past = used - ms(30) - ms(limit);
        assert!(past <= SHORTEST_STEP, "{limit} ms: {past:?} too much");
        assert!(looks <= 10 + limit as u32 / 400, "{limit} ms: {looks} looks");
    }
}

#[test]
fn two_threads_at_once_pass_it_by_no_more_than_two_steps() {
    for limit in [7, 50, 1000] {
        let (mut watch, fake, now) = watched(limit as f64);
        watch.begin(&fake, 1, now);
        let (used, _) = spin(&mut watch, &fake, now, 2);
        assert!(
            used - ms(30) - ms(limit) <= 2 * SHORTEST_STEP,
            "{limit} ms: {used:?}"
        );
    }
}

#[test]
fn of_calls_one_after_another_the_clock_is_read_once_in_a_millisecond_and_all_is_charged() {
    let (mut watch, fake, start) = watched(10.0);
    let mut now = start;
    for number in 1..=100 {
        watch.begin(&fake, number, now);
        fake.uses(Duration::from_micros(50));
        now += Duration::from_micros(100);
        watch.end(&fake, number, End::Answered, now);
    }
    assert!(
        fake.readings.get() <= 11,
        "{} readings in 10 ms",
        fake.readings.get()
    );
    assert_eq!(watch.account.first_to_pay(), Some(100));
    assert!(
        watch.look(&fake, now).is_none(),
        "none of them has used its limit"
    );
    assert_eq!(watch.account.used(), fake.used.get(), "nothing is lost");
}

/// Whoever comes last may pay for what was used just before: a millisecond of each thread's.
#[test]
fn what_is_charged_is_exact_but_for_a_millisecond() {
    let (mut watch, fake, start) = watched(50.0);
    watch.begin(&fake, 1, start);
    fake.uses(ms(1));
    let now = start + FRESH - Duration::from_nanos(1);
    watch.end(&fake, 1, End::Answered, now);
    watch.begin(&fake, 2, now);
    let (used, _) = spin(&mut watch, &fake, now, 1);
    assert!(
        used >= ms(30 + 50) && used <= ms(30 + 1 + 50) + SHORTEST_STEP,
        "{used:?}"
    );
}

#[test]
fn what_was_nobodys_is_not_charged_to_a_call_that_comes_right_after_a_look() {
    let (mut watch, fake, start) = watched_up_to(50.0, Some(1 << 30));
    watch.begin(&fake, 1, start);
    watch.end(&fake, 1, End::Answered, start);
    let now = start + ms(31_000);
    fake.uses(ms(600));
    assert_eq!(
        watch.look(&fake, now),
        None,
        "its time is over, and it is below the bound"
    );
    watch.begin(&fake, 2, now);
    fake.uses(ms(20));
    assert_eq!(watch.look(&fake, now + ms(20)), None);
}

#[test]
fn with_others_open_the_clock_is_read_each_time() {
    let (mut watch, fake, now) = watched(50.0);
    watch.begin(&fake, 1, now);
    watch.waits(1);
    for number in 2..100 {
        watch.begin(&fake, number, now);
        fake.uses(ms(1));
        watch.heard();
        watch.end(&fake, number, End::Answered, now);
    }
    assert!(watch.look(&fake, now).is_none(), "who waits pays nothing of it");
    assert_eq!(watch.account.left(), ms(50));
}

#[test]
fn calls_that_keep_coming_do_not_put_the_look_off() {
    let (mut watch, fake, now) = watched(50.0);
    watch.begin(&fake, 1, now);
    let due = watch.next_look();
    for number in 2..20 {
        watch.begin(&fake, number, now + ms(number));
    }
    assert_eq!(watch.next_look(), due);
}

#[test]
fn nobody_looks_at_a_process_at_rest_until_it_is_heard_or_asked_again() {
    let (mut watch, fake, start) = watched(50.0);
    watch.begin(&fake, 1, start);
    watch.end(&fake, 1, End::Answered, start);
    let mut looks = 0;
    let mut last = start;
    while let Some(next) = watch.next_look() {
        last = next;
        assert_eq!(watch.look(&fake, next), None);
        looks += 1;
    }
    assert_eq!((looks, last - start), (LOOKS_AT_REST, ms(70)));
    watch.heard();
    assert!(watch.next_look().is_some());
    while let Some(next) = watch.next_look() {
        watch.look(&fake, next);
    }
    watch.begin(&fake, 2, last);
    assert!(watch.next_look().is_some());
}

#[test]
fn what_goes_on_after_the_answer_is_looked_at_for_as_long_as_it_does() {
    let (mut watch, fake, start) = watched(50.0);
    watch.begin(&fake, 1, start);
    watch.end(&fake, 1, End::Answered, start);
    let (used, _) = spin(&mut watch, &fake, start, 1);
    assert!(used <= ms(30 + 50 + 40), "{used:?}");
}

#[test]
fn a_process_that_has_ended_is_not_looked_at_again_because_nobody_would_ever_look_away() {
    let (mut watch, fake, now) = watched(50.0);
    watch.begin(&fake, 1, now);
    fake.has_ended.set(true);
    assert_eq!(watch.look(&fake, now + ms(25)), None);
    assert_eq!(watch.next_look(), None);
}

#[test]
fn the_kernels_bound_is_always_ahead_by_a_second_at_least_and_two_at_most() {
    let (mut watch, fake, mut now) = watched(20_000.0);
    watch.begin(&fake, 1, now);
    for _ in 0..30 {
        let ahead = fake.bound.get() - fake.used.get();
        assert!(ahead >= SPARE / 2 && ahead <= SPARE, "{ahead:?}");
        fake.uses(ms(300));
        now += ms(300);
        watch.look(&fake, now);
    }
}
