//! Stands between Node and workerd: prepares a plugin's process, then becomes workerd.
//!
//! Usage, from the addon only: `emdash-sandbox-launcher <parent pid> <jail> <program> <argument>…`. The jail is a policy
//! and its layers, such as `try:files,calls`. Standard input is a Unix socket on which one message brings the
//! descriptors that the program needs; `{fd:N}` in an argument stands for the number of the N-th of them. Having this as a program of its own lets Node's process use `posix_spawn`: what must happen between
//! fork and exec happens here, in a small address space, instead of in a copy of Node's.
//!
//! As `emdash-sandbox-launcher watch` it is the watchdog of systems other than Linux; see `watch.rs`.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod jail;
#[cfg(target_os = "linux")]
mod prepare;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(unix)]
mod watch;

#[allow(
    clippy::print_stderr,
    reason = "the addon reads the reason of a failed start from standard error"
)]
fn main() -> ExitCode {
    #[cfg(unix)]
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    #[cfg(unix)]
    if arguments == ["watch"] {
        watch::run(std::io::stdin().lock());
        return ExitCode::SUCCESS;
    }
    #[cfg(target_os = "linux")]
    eprintln!("emdash-sandbox-launcher: {}", prepare::run(arguments));
    // What a shell exits with when a program can't be executed.
    ExitCode::from(127)
}
