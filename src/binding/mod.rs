//! The boundary: what JavaScript can call and what it gets back. No logic, and the only module that names napi.

mod check;
mod dev;
#[cfg(target_os = "linux")]
mod ear;
mod egress;
mod event;
mod jail;
mod options;
mod runner;
mod status;

pub use self::check::{CheckedCall, check_call};
pub use self::dev::{
    DescribeOutcome, NativeDescription, NativeDev, NativeFrame, NativeGuest, NativeModule, explain_output,
    guest, printable_line, read_frame,
};
pub use self::egress::{NativeAnswer, NativeEgress, NativeFetch};
pub use self::jail::{
    NativeJailLayer, NativeJailReport, NativeTransportReport, jail_report, transport_report,
};
