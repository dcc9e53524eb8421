//! The watchdog of systems whose kernel ends no process with its parent: `emdash-sandbox-launcher watch`.
//!
//! Standard input is a pipe from Node's process with a line for each process that is to end with it: `+<pid>` to watch
//! one, `-<pid>` once it is about to be reaped. When the pipe ends, Node has ended, and all that is watched ends.

use std::collections::HashSet;
use std::io::BufRead;

use rustix::process::{Pid, Signal, kill_process};

/// Returns when Node has ended, and what was watched with it.
pub(crate) fn run(lines: impl BufRead) {
    for ward in wards_at_end(lines) {
        // It may have ended by itself.
        let _ = kill_process(ward, Signal::KILL);
    }
}

/// Those that are still watched when the lines end, also where they end with an error.
fn wards_at_end(lines: impl BufRead) -> HashSet<Pid> {
    let mut wards = HashSet::new();
    for line in lines.lines().map_while(Result::ok) {
        let named = |sign| {
            let number: u32 = line.strip_prefix(sign)?.parse().ok()?;
            Pid::from_raw(number.try_into().ok()?)
        };
        if let Some(pid) = named('+') {
            wards.insert(pid);
        } else if let Some(pid) = named('-') {
            wards.remove(&pid);
        }
    }
    wards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_were_taken_back_are_spared_and_what_is_no_number_is_nobody() {
        let wards = wards_at_end("+12\n+345\n-12\n+x\n-9\n+0\n+-1\n\n+7".as_bytes());
        let mut numbers: Vec<_> = wards.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [7, 345]);
    }
}
