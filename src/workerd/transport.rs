//! By what a plugin's process and the host reach each other, and what a platform without Unix sockets lacks besides.

use crate::error::{Error, ErrorCode};

/// The variable that says which one, by which a word that is none is refused.
const VARIABLE: &str = "EMDASH_SANDBOX_TRANSPORT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Nameless Unix sockets, handed over by descriptor, and all that Linux has for a process besides: its jail, its bounds.
    Unix,
    /// Ports on 127.0.0.1, which everybody on the machine can connect to, with a secret for each direction. Nothing in it
    /// is of one system, so this is how plugins run where the other can't be had.
    Tcp,
}

impl Transport {
    /// What is best here.
    pub const DEFAULT: Self = match cfg!(target_os = "linux") {
        true => Self::Unix,
        false => Self::Tcp,
    };

    /// # Errors
    /// When the text is none of the three words, or names what this system does not have.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |message| Err(Error::new(ErrorCode::InvalidOption, message));
        match text {
            "auto" => Ok(Self::DEFAULT),
            "tcp" => Ok(Self::Tcp),
            "unix" if cfg!(target_os = "linux") => Ok(Self::Unix),
            "unix" => refused(format!("{VARIABLE} is unix, which only Linux can be: unset it")),
            _ => refused(format!("{VARIABLE} must be auto, unix or tcp, not {text:?}")),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp => "tcp",
        }
    }

    /// What does not hold with it that holds with [`Transport::Unix`], but for the jail, which has its own report. Each is
    /// a fragment.
    #[must_use]
    pub fn gaps(self) -> &'static [&'static str] {
        match self {
            Self::Unix => &[],
            Self::Tcp => &[
                "plugins and the host meet on ports of 127.0.0.1, where a secret is all that keeps other users of this machine out",
                "processor time and memory are looked at and not bounded by the system: a plugin can pass a limit by what it uses between two looks",
                END_OF_HOST,
            ],
        }
    }
}

/// Who ends plugins' processes when Node's is killed.
const END_OF_HOST: &str = if cfg!(windows) {
    "a process that is started in the very moment in which Node is killed may be left behind"
} else {
    "a watchdog, not the kernel, ends plugins' processes when Node is killed: kill both at once, and they are left behind"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_of_three_words_and_anything_else_is_refused_by_the_variables_name() {
        assert_eq!(Transport::parse("auto").unwrap(), Transport::DEFAULT);
        assert_eq!(Transport::parse("tcp").unwrap(), Transport::Tcp);
        for wrong in ["", "TCP", "udp", " tcp", "tcp,unix", "1"] {
            let error = Transport::parse(wrong).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidOption);
            assert!(
                error.message.contains("EMDASH_SANDBOX_TRANSPORT must be"),
                "{error}"
            );
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_has_both_and_takes_the_one_without_gaps() {
        assert_eq!(Transport::parse("unix").unwrap(), Transport::Unix);
        assert_eq!(Transport::DEFAULT, Transport::Unix);
        assert!(Transport::Unix.gaps().is_empty());
        assert!(!Transport::Tcp.gaps().is_empty());
    }
}
