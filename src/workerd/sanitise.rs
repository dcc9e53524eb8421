//! Making a line that a plugin or workerd wrote safe for a log.
//!
//! Such bytes can move a terminal's cursor, colour or rename it, start a line that looks like another program's, or turn
//! the direction of what follows.
use std::fmt::Write;

/// The longest line that comes out, in bytes, before the note that it was cut. Long enough for any stack trace's line,
/// short enough that a plugin cannot fill a log by the megabyte at once.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// One line of output, with or without its line end, as text that shows what it holds and does nothing else.
///
/// Invalid UTF-8 becomes U+FFFD, a tab a space; control characters, line separators and bidirectional overrides become
/// `\u{…}`. What is past 8 KiB is cut between characters, and `… (<n> bytes cut)` says how many bytes of the input.
pub(crate) fn sanitise_line(bytes: &[u8]) -> String {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    sanitise(line, |_| false)
}

/// The same for a text of several lines, which stay: an error's words on their way to whoever asked.
pub(crate) fn sanitise_text(text: &str) -> String {
    sanitise(text.as_bytes(), |character| character == '\n')
}

fn sanitise(bytes: &[u8], stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(bytes.len().min(MAX_LINE_BYTES));
    let mut piece = String::new();
    let mut read = 0;
    for (character, length) in characters(bytes) {
        piece.clear();
        if stays(character) {
            piece.push(character);
        } else {
            show(character, &mut piece);
        }
        if shown.len() + piece.len() > MAX_LINE_BYTES {
            // Writing to a string cannot fail.
            _ = write!(shown, "… ({} bytes cut)", bytes.len() - read);
            break;
        }
        shown.push_str(&piece);
        read += length;
    }
    shown
}

/// The characters of `bytes`, each with the number of bytes that it stood for.
fn characters(bytes: &[u8]) -> impl Iterator<Item = (char, usize)> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let invalid = Some((char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
        chunk
            .valid()
            .chars()
            .map(|character| (character, character.len_utf8()))
            .chain(invalid.filter(|&(_, length)| length > 0))
    })
}

fn show(character: char, into: &mut String) {
    match character {
        '\t' => into.push(' '),
        character if is_unsafe(character) => _ = write!(into, "\\u{{{:x}}}", u32::from(character)),
        character => into.push(character),
    }
}

/// C0, DEL and C1; line and paragraph separator; embeddings, overrides and isolates of the bidirectional algorithm.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_errors_words_keep_their_lines_and_nothing_else_that_moves_a_cursor() {
        assert_eq!(sanitise_text("one\ntwo\r\u{1b}[2J"), "one\ntwo\\u{d}\\u{1b}[2J");
        assert!(sanitise_text(&"x\n".repeat(8000)).ends_with("bytes cut)"));
    }

    #[test]
    fn plain_text_passes_as_it_is() {
        for text in ["", "a line", "é 日本語 🦀 עברית", "\\u{1b} \"quoted\" 100%"] {
            assert_eq!(sanitise_line(text.as_bytes()), text);
        }
    }

    #[test]
    fn the_lines_own_end_goes_and_any_other_shows() {
        assert_eq!(sanitise_line(b"a\r\n"), "a");
        assert_eq!(sanitise_line(b"a\n"), "a");
        assert_eq!(sanitise_line(b"a\nb\rc\n\n"), "a\\u{a}b\\u{d}c\\u{a}");
    }

    #[test]
    fn what_would_act_on_a_terminal_or_a_reader_shows_instead() {
        assert_eq!(
            sanitise_line(b"\x1b[31mred\x07\0\x7f\tend"),
            "\\u{1b}[31mred\\u{7}\\u{0}\\u{7f} end"
        );
        assert_eq!(
            sanitise_line("\u{9b}2J\u{2028}\u{202e}\u{2066}".as_bytes()),
            "\\u{9b}2J\\u{2028}\\u{202e}\\u{2066}"
        );
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(sanitise_line(b"a\xff\xc3(\xe2\x82"), "a\u{fffd}\u{fffd}(\u{fffd}");
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_how_much() {
        let fits = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(sanitise_line(fits.as_bytes()), fits);
        assert_eq!(
            sanitise_line((fits.clone() + "yz\n").as_bytes()),
            fits.clone() + "… (2 bytes cut)"
        );
        let crab = fits[1..].to_owned() + "🦀";
        assert_eq!(
            sanitise_line(crab.as_bytes()),
            fits[1..].to_owned() + "… (4 bytes cut)"
        );
        let escapes = sanitise_line(&vec![0x1b; 1 << 20]);
        assert!(
            escapes.ends_with("\\u{1b}… (1047211 bytes cut)"),
            "{}",
            &escapes[escapes.len() - 40..]
        );
    }

    proptest! {
        #[test]
        fn nothing_that_acts_comes_out(bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            any::<String>().prop_map(String::into_bytes),
            "[\\u0000-\\u00ff\\u2020-\\u2070]{0,60}".prop_map(String::into_bytes),
        ], times in prop_oneof![4 => Just(1usize), 1 => 1..2000usize]) {
            let line = sanitise_line(&bytes.repeat(times));
            prop_assert!(!line.contains(is_unsafe));
            prop_assert!(line.chars().all(|c| !c.is_control()));
            prop_assert!(line.len() <= MAX_LINE_BYTES + 40);
        }

        #[test]
        fn short_safe_text_is_untouched(text in "[ -~é日🦀]{0,200}") {
            prop_assert_eq!(sanitise_line(text.as_bytes()), text);
        }
    }
}
