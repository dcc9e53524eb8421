//! What JavaScript says to a plugin's actor.

use bytes::Bytes;

use crate::error::Refusal;
use crate::visit::MAX_OWN_BYTES;

#[derive(Debug)]
pub(super) enum Command {
    Call(Call),
    /// The host's answer to a call of the plugin, or why there is none.
    Answer {
        call: u64,
        result: Result<Answer, Refusal>,
    },
    /// Ends the plugin. `within` is the host operation that asks for it, and that may wait for it.
    Terminate {
        within: Option<u64>,
    },
}

/// What needs a process.
#[derive(Debug)]
pub(super) enum Call {
    Invoke {
        request: u64,
        kind: Kind,
        name: String,
        payload: String,
    },
    /// Only to have it started; `request` is answered when it is.
    Start { request: Option<u64> },
}

impl Command {
    /// Whether JavaScript's thread may deal with it.
    pub(super) fn is_brief(&self) -> bool {
        match self {
            Self::Call(call) => call.is_brief(),
            Self::Answer {
                result: Ok(answer), ..
            } => answer.is_brief(),
            Self::Answer {
                result: Err(refusal), ..
            } => refusal.message.len() <= MAX_OWN_BYTES,
            Self::Terminate { .. } => false,
        }
    }
}

impl Call {
    fn is_brief(&self) -> bool {
        match self {
            Self::Invoke { payload, .. } => payload.len() <= MAX_OWN_BYTES,
            Self::Start { .. } => false,
        }
    }

    /// Whether somebody waits for what comes of it.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self, Self::Start { request: None })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Hook,
    Route,
}

impl Kind {
    /// The field of an invocation's frame that names it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Route => "route",
        }
    }
}

/// The host's answer to a call of a plugin.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// JSON text; `None` for `undefined`.
    pub value: Option<String>,
    /// What the guest puts into the value, an object, as `bytes`.
    pub bytes: Option<Bytes>,
}

impl Answer {
    fn is_brief(&self) -> bool {
        self.bytes.is_none()
            && self
                .value
                .as_ref()
                .is_none_or(|value| value.len() <= MAX_OWN_BYTES)
    }

    pub(super) fn json(text: &str) -> Self {
        Self {
            value: Some(text.to_owned()),
            bytes: None,
        }
    }
}
