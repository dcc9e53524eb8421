//! The closed set of what can fail. Rust says the fragment; `host/errors.ts` says the sentence and picks the class.

/// What kind of failure it is; each says what it becomes in JavaScript and who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// `TypeError`; the plugin's author: the manifest can't be used.
    InvalidManifest,
    /// `TypeError`; the plugin's author: the code is not text that a module can be made of.
    InvalidCode,
    /// `RangeError`; the site's owner: an option or an environment variable can't be used.
    InvalidOption,
    /// `SandboxUnavailableError`; depends on the reason: no process serves the plugin.
    Unavailable,
    /// `Error` with EmDash's documented text; the plugin's author: it took too long.
    WallTime,
    /// `Error`; the plugin's author: its handler threw, or gave an answer that is no answer.
    Threw,
}

impl ErrorCode {
    /// The name that crosses to `host/errors.ts`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidManifest => "invalid_manifest",
            Self::InvalidCode => "invalid_code",
            Self::InvalidOption => "invalid_option",
            Self::Unavailable => "unavailable",
            Self::WallTime => "wall_time",
            Self::Threw => "threw",
        }
    }
}

/// A failure on its way to JavaScript: its kind and a fragment (lower case, no full stop) or, for [`ErrorCode::Threw`],
/// the plugin's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: ErrorCode,
    pub message: String,
}

impl Error {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }
}
