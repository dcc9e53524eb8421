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
    /// `Error` with EmDash's documented text; the plugin's author: it took too long. The message is the limit, as is that
    /// of the next two.
    WallTime,
    /// `Error`; the plugin's author: it used too much processor time.
    CpuTime,
    /// `Error`; the plugin's author: it used too much memory.
    Memory,
    /// `Error`; the plugin's author: its handler threw, or gave an answer that is no answer.
    Threw,
    /// Out of a route EmDash's own error of that code; out of a hook as [`ErrorCode::Threw`].
    Route(RouteError),
}

/// Refusals of the host that a route passes on to whoever called it, with their status. EmDash (0.34) knows these two
/// and goes by the code alone, whoever threw the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteError {
    MediaUsageActivationInProgress,
    MediaUsageActivationCheckFailed,
}

impl RouteError {
    pub const STATUS: u16 = 503;

    pub fn parse(code: &str) -> Option<Self> {
        [
            Self::MediaUsageActivationInProgress,
            Self::MediaUsageActivationCheckFailed,
        ]
        .into_iter()
        .find(|error| error.code() == code)
    }

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MediaUsageActivationInProgress => "MEDIA_USAGE_ACTIVATION_IN_PROGRESS",
            Self::MediaUsageActivationCheckFailed => "MEDIA_USAGE_ACTIVATION_CHECK_FAILED",
        }
    }
}

/// Why a `ctx` call is refused whose invocation may not act any more.
pub(crate) const OVER: &str = "the hook or route that made this call is over";

/// Why a `ctx` call got no answer: a sentence for the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    pub route_error: Option<RouteError>,
}

impl<S: Into<String>> From<S> for Refusal {
    fn from(message: S) -> Self {
        Self {
            message: message.into(),
            route_error: None,
        }
    }
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
            Self::CpuTime => "cpu_time",
            Self::Memory => "memory",
            Self::Threw => "threw",
            Self::Route(error) => error.code(),
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
    /// Of [`ErrorCode::Threw`]: where in the plugin's own code, as lines of a stack, safe to print.
    pub stack: Option<String>,
}

impl Error {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            stack: None,
        }
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }
}
