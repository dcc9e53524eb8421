//! What the jail prevents, tried by a probe in workerd's place. Linux only, as it is.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "what is forbidden elsewhere is what the jail is to prevent"
)]

mod attempts;
mod calls;
mod cores;
mod lacking;
mod outside;
#[path = "../support/mod.rs"]
mod support;
mod users;

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use support::{LAYERS, PROBE, launcher, skipped, start, text};

/// Starts `command`, which is or becomes the launcher, with a descriptor for what it becomes, as the addon does.
fn started(command: &mut Command) -> Output {
    let (reader, _writer) = std::io::pipe().unwrap();
    start(command, &[reader.as_fd()])
}

fn probe(layers: &str, program: &[&str]) -> Output {
    started(&mut launcher(&format!("must:{layers}"), program))
}

/// Those that this kernel has. The oldest that we run tests on lacks the last one or two of Landlock's.
fn layers() -> Vec<&'static str> {
    let starts = |layer: &&str| outcome(&probe(layer, &[PROBE, "thread"])) == "done";
    let (layers, missing): (Vec<_>, Vec<_>) = LAYERS.into_iter().partition(starts);
    for layer in missing {
        skipped(&format!("this kernel has no layer {layer}"));
    }
    for layer in ["limits", "capabilities", "files", "calls"] {
        assert!(
            layers.contains(&layer),
            "this machine can't test the jail: it lacks {layer}"
        );
    }
    layers
}

fn outcome(output: &Output) -> String {
    let said = text(&output.stdout);
    match (output.status.signal(), said.trim_end()) {
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, "") => format!("started nothing: {}", text(&output.stderr)),
        (None, said) => said.to_owned(),
    }
}

fn is_prevented(outcome: &str) -> bool {
    outcome.starts_with("refused: ") || outcome.starts_with("ended by signal ")
}
