//! What a process said before it ended, or a guest of a plugin that did not load, as words for whoever called.

use crate::channel::frame::Thrown;
use crate::error::{Error, ErrorCode};
use crate::workerd::{Exit, PLUGIN_MODULE, sanitise_line, sanitise_text};

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

/// What a handler threw, as its caller hears it. `stack` is the one of `thrown`, with the plugin's file as its author
/// knows it.
pub(crate) fn error_of(thrown: &Thrown, stack: &str) -> Error {
    let code = thrown.route_error().map_or(ErrorCode::Threw, ErrorCode::Route);
    Error {
        stack: own_frames(stack),
        ..Error::new(code, sanitise_text(&thrown.message.0))
    }
}

/// As many lines as tell an author the way.
const MAX_FRAMES: usize = 8;

/// A line of a stack that is longer was not made by V8.
const MAX_FRAME_LENGTH: usize = 512;

/// The lines of a stack that stand in the plugin's own code.
fn own_frames(stack: &str) -> Option<String> {
    let own: Vec<_> = stack
        .lines()
        .map(str::trim)
        .filter(|line| {
            line.starts_with("at ") && line.contains(PLUGIN_MODULE) && line.len() <= MAX_FRAME_LENGTH
        })
        .take(MAX_FRAMES)
        .map(|line| format!("    {}", sanitise_line(line.as_bytes())))
        .collect();
    (!own.is_empty()).then(|| own.join("\n"))
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
    fn of_a_stack_the_plugins_own_lines_are_kept_and_shown_safely() {
        let stack = "\n    at f (plugin.js:2:21)\n    at \u{1b}[1m (plugin.js:3:1)\n    at runHook (channel.js:1:2)\nplugin.js:4:1";
        assert_eq!(
            own_frames(stack).as_deref(),
            Some("    at f (plugin.js:2:21)\n    at \\u{1b}[1m (plugin.js:3:1)")
        );
        assert_eq!(own_frames("    at runHook (channel.js:1:2)"), None);
        let long = format!("at {} (plugin.js:1:1)", "x".repeat(MAX_FRAME_LENGTH));
        assert_eq!(own_frames(&long), None);
        let many = "at f (plugin.js:1:1)\n".repeat(100);
        assert_eq!(
            own_frames(&many).map(|text| text.lines().count()),
            Some(MAX_FRAMES)
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
