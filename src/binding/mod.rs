//! The boundary: what JavaScript can call and what it gets back. No logic, and the only module that names napi.

mod check;
mod event;
mod runner;
mod status;

pub use self::check::{CheckedCall, check_call};
