//! Cap'n Proto's text format: what it takes to make any text a string literal in it.
use std::fmt::Write;

/// `text` as a string literal of the text format, with its quotes.
///
/// Quotes, backslashes and control characters are escaped; everything else, also outside ASCII, stands for itself.
pub(crate) fn quote(text: &str) -> String {
    // A plugin's code is the largest text by far, and its line ends are most of what grows.
    let mut quoted = String::with_capacity(text.len() + text.len() / 16 + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Two digits always: the lexer takes just two, whatever follows. Writing to a string cannot fail.
            '\0'..='\x1f' | '\x7f' => _ = write!(quoted, "\\x{:02x}", u32::from(character)),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a literal back by the lexer's rules, on its own: `None` when the literal ends early or never.
    fn unquote(literal: &str) -> Option<String> {
        let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
        let mut bytes = inner.bytes();
        let mut text = Vec::new();
        while let Some(byte) = bytes.next() {
            text.push(match byte {
                b'"' | b'\n' => return None,
                b'\\' => match bytes.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'x' => {
                        let digits = [bytes.next()?, bytes.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                    }
                    escaped @ (b'"' | b'\\') => escaped,
                    _ => return None,
                },
                plain => plain,
            });
        }
        String::from_utf8(text).ok()
    }

    #[test]
    fn each_special_character_has_its_escape() {
        let text = "a\"b\\c\nd\re\tf\0g\x7fh*/ # é🦀\u{2028}\u{80}";
        assert_eq!(
            quote(text),
            "\"a\\\"b\\\\c\\nd\\re\\tf\\x00g\\x7fh*/ # é🦀\u{2028}\u{80}\""
        );
    }

    #[test]
    fn a_digit_after_an_escape_stays_apart() {
        assert_eq!(quote("\u{1}f"), r#""\x01f""#);
        assert_eq!(unquote(r#""\x01f""#).as_deref(), Some("\u{1}f"));
    }

    #[test]
    fn a_quote_cannot_close_the_literal() {
        for text in [
            "\"",
            "\\",
            "\\\"",
            "\\\\\"",
            "\"), (name = \"evil",
            "\\x22",
            "\n\"",
        ] {
            assert_eq!(unquote(&quote(text)).as_deref(), Some(text));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_is_read_back(text in prop_oneof![any::<String>(), "[\\x00-\\x7f]{0,40}", "[\"\\\\nx0-9a-f\\n]{0,20}"]) {
            let quoted = quote(&text);
            prop_assert!(!quoted.contains(|c: char| c.is_ascii_control()));
            prop_assert_eq!(unquote(&quoted), Some(text));
        }
    }
}
