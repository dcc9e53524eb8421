//! The boundary: what JavaScript can call and what it gets back. No logic, and the only module that names napi.

mod check;
mod egress;
mod event;
mod runner;

pub use self::check::{CheckedCall, check_call};
pub use self::egress::{NativeAnswer, NativeEgress, NativeFetch};
