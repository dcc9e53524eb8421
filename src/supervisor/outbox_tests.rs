use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn log() -> Event {
    Event::Log(Log::Notice {
        plugin_id: None,
        message: "m".into(),
    })
}

/// One that counts how often it has woken somebody.
fn counted() -> (Outbox, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    let outbox = Outbox::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (outbox, wakes)
}

#[test]
fn one_wake_up_serves_all_that_gathers_until_the_drain() {
    let (outbox, wakes) = counted();
    for request in 0..5 {
        outbox.push(Event::Done { request, value: None });
    }
    assert_eq!((wakes.load(Ordering::Relaxed), outbox.drain().0.len()), (1, 5));
    outbox.push(log());
    assert_eq!((wakes.load(Ordering::Relaxed), outbox.drain().0.len()), (2, 1));
}

#[test]
fn what_an_actor_pushes_in_one_go_wakes_once_it_is_enough_or_over() {
    let (outbox, wakes) = counted();
    let woken = || wakes.swap(0, Ordering::Relaxed);
    outbox.gather(|| {
        (1..ENOUGH).for_each(|_| outbox.push(log()));
        assert_eq!(woken(), 0);
        outbox.push(log());
        assert_eq!(woken(), 1);
        assert_eq!(outbox.drain().0.len(), ENOUGH);
        outbox.push(log());
        assert_eq!(woken(), 0);
    });
    assert_eq!(woken(), 1);
    assert_eq!(outbox.drain().0.len(), 1);
    outbox.gather(|| {});
    assert_eq!(woken(), 0, "there is nothing to tell");
    outbox.push(log());
    assert_eq!(woken(), 1);
}

#[test]
fn whoever_drains_anyway_is_told_and_not_woken() {
    let (outbox, wakes) = counted();
    let woken = || wakes.swap(0, Ordering::Relaxed);
    assert!(!outbox.hold(|| {}));
    assert!(outbox.hold(|| outbox.gather(|| (0..2 * ENOUGH).for_each(|_| outbox.push(log())))));
    assert!(
        !outbox.hold(|| outbox.push(log())),
        "who was told before drains all"
    );
    assert_eq!((woken(), outbox.drain().0.len()), (0, 2 * ENOUGH + 1));
    outbox.push(log());
    assert!(!outbox.hold(|| outbox.push(log())), "it was woken before");
    assert_eq!((woken(), outbox.drain().0.len()), (1, 2));
    let panics = || {
        outbox.push(log());
        panic!("after the event")
    };
    assert!(std::panic::catch_unwind(AssertUnwindSafe(|| outbox.hold(panics))).is_err());
    assert_eq!((woken(), outbox.drain().0.len()), (1, 1));
    outbox.push(log());
    assert_eq!(woken(), 1, "nothing is held any more");
}

#[test]
fn a_flood_of_logs_is_cut_with_a_word_and_drops_no_answer() {
    let outbox = Outbox::new(|| {});
    (0..MAX_WAITING_LOGS + 7).for_each(|_| outbox.push(log()));
    outbox.push(Event::Done {
        request: 1,
        value: None,
    });
    let (mut logs, mut answers, mut words) = (0, 0, Vec::new());
    loop {
        let (events, more) = outbox.drain();
        assert!(events.len() <= MAX_DRAIN + 1);
        for event in events {
            match event {
                Event::Log(Log::Notice { message, .. }) if message.contains("dropped") => words.push(message),
                Event::Log(_) => logs += 1,
                _ => answers += 1,
            }
        }
        if !more {
            break;
        }
    }
    assert_eq!((logs, answers, words.len()), (MAX_WAITING_LOGS, 1, 1));
    assert!(words[0].starts_with("7 log lines dropped"), "{}", words[0]);
}

#[test]
fn while_more_waits_nobody_is_woken_because_whoever_drains_comes_back() {
    let (outbox, wakes) = counted();
    (0..=MAX_DRAIN).for_each(|_| outbox.push(log()));
    assert!(outbox.drain().1);
    outbox.push(log());
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
    assert!(!outbox.drain().1);
    outbox.push(log());
    assert_eq!(wakes.load(Ordering::Relaxed), 2);
}
