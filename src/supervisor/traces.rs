//! What a process leaves behind that says why it has ended.

use super::complaint::says_out_of_memory;
use crate::workerd::{Cgroup, Output};

pub(super) struct Traces {
    output: Output,
    cgroup: Option<Cgroup>,
}

/// How it was at the end of a process.
pub(super) struct Last {
    /// What it printed.
    pub(super) words: Vec<String>,
    /// By its own words, or by the kernel's count.
    pub(super) is_out_of_memory: bool,
}

impl Traces {
    pub(super) fn new(output: Output, cgroup: Option<Cgroup>) -> Self {
        Self { output, cgroup }
    }

    /// To be called when the process has ended; its output takes a moment longer.
    pub(super) async fn last(&mut self) -> Last {
        let words = self.output.last_words().await;
        let is_killed_for_it = self.cgroup.as_ref().is_some_and(Cgroup::is_out_of_memory);
        Last {
            is_out_of_memory: says_out_of_memory(&words) || is_killed_for_it,
            words,
        }
    }
}
