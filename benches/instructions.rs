//! Makes calls for `scripts/instructions.mjs`, which runs it under callgrind and compares two counts of calls:
//! `instructions HOOK EVENT CALLS`, with the event as JSON or, as `100000x`, a text so long.
#![allow(clippy::unwrap_used, clippy::panic, reason = "it is a test's")]

#[cfg(target_os = "linux")]
#[path = "../tests/site/mod.rs"]
mod site;

#[cfg(target_os = "linux")]
fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().unwrap();
    let (hook, event, calls) = (next(), next(), next().parse::<u32>().unwrap());
    let event = match event.strip_suffix('x') {
        Some(length) => format!("\"{}\"", "x".repeat(length.parse().unwrap())),
        None => event,
    };
    let payload = format!(r#"{{"event":{event}}}"#);
    // What a process is named by otherwise, a pidfd, needs a system call that Debian's valgrind does not know. What is called for
    // each frame is the same.
    let mut site = site::Site::new(emdash_sandbox_native::workerd::Transport::Tcp);
    for _ in 0..calls {
        assert!(site.call(&hook, &payload).is_some());
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
