//! A random text that two ends of a connection know each other by.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

/// Nobody guesses 256 bits.
const BYTES: usize = 32;

/// Lives as long as one process of a plugin; in base64url, so that it can stand in a header. It prints only through
/// [`Secret::expose`].
pub(crate) struct Secret(String);

impl Secret {
    /// # Errors
    /// When the system has no random numbers to give.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Takes as long for every text of the right length.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_itself_and_no_other_and_does_not_print() {
        let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_eq!(one.expose().len(), 43);
        assert!(one.is(one.expose().as_bytes()));
        let text = one.expose();
        for wrong in [
            other.expose(),
            "",
            &text[1..],
            &format!("{text}A"),
            &text.to_lowercase(),
        ] {
            assert!(!one.is(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{one:?}"), "Secret(redacted)");
    }
}
