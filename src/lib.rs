//! `emdash-sandbox-native`: runs EmDash plugins in workerd processes of their own.
//!
//! A map; `docs/architecture.md` has the reasons.
//! - [`binding`]: what JavaScript sees, and the only module that names napi
//! - [`supervisor`]: the plugins of one runner, an actor for each
//! - [`workerd`]: one process: configuration, launch, readiness, output, end
//! - [`channel`]: frames over the process's socket
//! - `egress`: the way out, `ctx.http.fetch`
//! - `backing`: the server for what is too large for a frame
//! - [`jail`]: what is put around that process, and what this kernel gives for it
//! - [`bridge`]: the operations that a plugin may ask for
//! - [`dev`]: what the development runner, which has no process of ours, takes from all this
//! - `sys`: the only `unsafe`
//! - [`manifest`], [`token`], [`limits`]: who a plugin is and what it may use

mod backing;
pub mod binding;
pub mod bridge;
mod channel;
pub mod dev;
mod egress;
pub mod error;
pub mod jail;
mod json;
pub mod limits;
pub mod manifest;
mod numbered;
mod runtime;
pub mod supervisor;
mod sys;
pub mod token;
mod visit;
pub mod workerd;
