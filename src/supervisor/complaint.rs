//! What a process said before it ended, or a guest of a plugin that did not load, as words for whoever called.

use crate::workerd::{Exit, sanitise_line};

pub(super) fn ended(exit: Exit, words: &[String]) -> String {
    let words = explanation(words);
    match words.is_empty() {
        true => format!("its process ended with {exit}"),
        false => format!("its process ended with {exit}: {words}"),
    }
}

/// What V8 and workerd's allocator say when they can't get memory. A plugin could print the same, and would only be told
/// that it ran out of memory when it ended itself.
const OUT_OF_MEMORY: [&str; 4] = [
    "out of memory",
    "Cannot allocate memory",
    "allocation failed",
    "Unable to allocate",
];

pub(super) fn says_out_of_memory(lines: &[String]) -> bool {
    lines
        .iter()
        .any(|line| OUT_OF_MEMORY.iter().any(|words| line.contains(words)))
}

/// Lines that follow from the one that tells: addresses without symbols, and a worker that lacks its wall because it
/// was never evaluated.
const CONSEQUENCES: [&str; 2] = ["stack:", "Worker \"main\"'s globalOutbound refers to"];

/// Workerd's complaint without what only repeats: its service's name, addresses without symbols.
pub(crate) fn explanation(lines: &[String]) -> String {
    let telling = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !CONSEQUENCES.iter().any(|start| line.starts_with(start)));
    join(telling.map(|line| line.strip_prefix("service main: ").unwrap_or(line)))
}

/// What the guest says of a plugin that did not load, with the lines of its own code.
pub(crate) fn complaint_of_guest(stack: &str) -> String {
    let own = stack
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("at boot.js") && !line.contains("(boot.js"));
    join(own)
}

fn join<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
    sanitise_line(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_threw_keeps_its_own_lines_in_one() {
        let stack = "it threw at its start: TypeError: boom\n    at f (plugin.js:2:21)\n    at plugin.js:3:1\n    at boot.js:37:35";
        assert_eq!(
            complaint_of_guest(stack),
            "it threw at its start: TypeError: boom at f (plugin.js:2:21) at plugin.js:3:1"
        );
    }

    #[test]
    fn workerds_complaint_loses_what_only_it_needs() {
        let lines = [
            "service main: Uncaught SyntaxError: Unexpected identifier 'b'",
            "  at plugin.js:2:12",
            "",
        ];
        assert_eq!(
            explanation(&lines.map(String::from)),
            "Uncaught SyntaxError: Unexpected identifier 'b' at plugin.js:2:12"
        );
    }
}
