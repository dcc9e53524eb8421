//! A program in workerd's place that tries one thing that the jail is to prevent, and says what came of it: `done`, or
//! `refused: <why>`. What the kernel ends it for, its exit says.
//!
//! `emdash-sandbox-probe <attempt> <argument>…`; the attempts are in `attempts.rs`. `without <calls> <program> …` runs a
//! program on a kernel that seems to lack these calls.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what the tests read"
)]

#[cfg(target_os = "linux")]
mod attempts;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod without;

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["without", calls, program, ref rest @ ..] => without::run(calls, program, rest),
        [attempt, ref rest @ ..] => attempts::attempt(attempt, rest),
        [] => Err(std::io::Error::other("nothing to attempt")),
    };
    match outcome {
        Ok(()) => println!("done"),
        Err(error) => println!("refused: {error}"),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
