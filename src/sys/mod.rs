//! The only `unsafe` of the addon: one function each, with the reason that it is sound. A file per system.
#![allow(unsafe_code)]

mod callback;
#[cfg(target_os = "linux")]
mod event_loop;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

pub(crate) use self::callback::Callback;
#[cfg(target_os = "linux")]
pub(crate) use self::event_loop::LoopWatch;
#[cfg(target_os = "linux")]
pub(crate) use self::linux::{
    landlock_abi, process_cpu_time, seccomp_can_kill, watch_readable, watch_writable,
};
#[cfg(target_os = "macos")]
pub(crate) use self::macos::process_usage;
#[cfg(windows)]
pub(crate) use self::windows::{end_with_this_process, process_usage, wait_for_end};
