//! A plugin's code, as text that a module can be made of, and the hash that it is known by.

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorCode};
use crate::limits::sizes::{MAX_CODE_BYTES, MIB};

#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(super) hash: CodeHash,
}

pub(super) type CodeHash = [u8; 32];

impl Code {
    /// From UTF-16, so that half a character is refused rather than replaced.
    ///
    /// # Errors
    /// When it holds one, or is too large.
    pub(crate) fn parse(code: &[u16]) -> Result<Self, Error> {
        let invalid = |message: String| Error::new(ErrorCode::InvalidCode, message);
        let text = String::from_utf16(code).map_err(|_| {
            invalid("plugin code holds an unpaired surrogate, which no source text can".into())
        })?;
        if text.len() > MAX_CODE_BYTES {
            let (bytes, limit) = (text.len(), MAX_CODE_BYTES / MIB);
            return Err(invalid(format!(
                "plugin code must take at most {limit} MiB, not {bytes} bytes"
            )));
        }
        let hash = Sha256::digest(text.as_bytes()).into();
        Ok(Self { text, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_the_size_that_it_may_have_is_taken_and_one_byte_more_is_not() {
        let code = |length| Code::parse(&vec![u16::from(b' '); length]);
        assert_eq!(code(MAX_CODE_BYTES).unwrap().text.len(), MAX_CODE_BYTES);
        assert_eq!(code(MAX_CODE_BYTES + 1).unwrap_err().code, ErrorCode::InvalidCode);
        assert_eq!(Code::parse(&[0xd800]).unwrap_err().code, ErrorCode::InvalidCode);
    }
}
