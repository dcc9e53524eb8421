//! The jail around workerd, as policy: what is asked for, what this kernel gives, and what the launcher is told. The
//! launcher puts it up; `docs/security.md` says what each layer is for.

mod kernel;
mod loss;
mod report;

use std::sync::{Arc, Mutex, PoisonError};

pub use self::kernel::{Kernel, Landlock, Obstacle};
pub(crate) use self::loss::Loss;
pub use self::report::{JailReport, LayerReport};

use crate::error::{Error, ErrorCode};

/// The variable that says which mode, by which a word that is none is refused.
const VARIABLE: &str = "EMDASH_SANDBOX_JAIL";

/// How much of the jail must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As much as the kernel gives.
    Auto,
    /// All of it, or no plugin runs.
    Require,
    /// None of it.
    Off,
}

impl Mode {
    /// # Errors
    /// When the text is none of the three words.
    pub fn parse(text: &str) -> Result<Self, Error> {
        [Self::Auto, Self::Require, Self::Off]
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| {
                let message = format!("{VARIABLE} must be auto, require or off, not {text:?}");
                Error::new(ErrorCode::InvalidOption, message)
            })
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Require => "require",
            Self::Off => "off",
        }
    }
}

/// What holds or is missing as one. The launcher knows them by the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// No core dump, no file that grows, a bound on open descriptors.
    Limits,
    /// No capability is left, also for root.
    Capabilities,
    /// No file but what workerd is made of (Landlock).
    Files,
    /// No TCP (Landlock).
    Network,
    /// No signal and no abstract socket of another process (Landlock).
    Scope,
    /// No system call but those that workerd makes (seccomp).
    Calls,
}

impl Layer {
    pub const ALL: [Self; 6] = [
        Self::Limits,
        Self::Capabilities,
        Self::Files,
        Self::Network,
        Self::Scope,
        Self::Calls,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Capabilities => "capabilities",
            Self::Files => "files",
            Self::Network => "network",
            Self::Scope => "scope",
            Self::Calls => "calls",
        }
    }
}

/// What the launcher is told to put up, and what came of it. Clones are of the same jail.
#[derive(Debug, Clone)]
pub struct Jail {
    argument: String,
    possible: JailReport,
    /// What the last start lacked of what is possible.
    lost: Arc<Mutex<Vec<Loss>>>,
}

impl Jail {
    /// `is_strict` is for tests: a system call that nobody expected ends the process, instead of failing.
    #[must_use]
    pub fn new(mode: Mode, kernel: &Kernel, is_strict: bool) -> Self {
        let policy = match mode {
            _ if is_strict => "strict",
            Mode::Require => "must",
            Mode::Auto | Mode::Off => "try",
        };
        let layers = Layer::ALL.into_iter();
        let asked = layers.filter(|layer| mode != Mode::Off && kernel.has(*layer));
        let names: Vec<_> = asked.map(Layer::name).collect();
        Self {
            argument: format!("{policy}:{}", names.join(",")),
            possible: JailReport::new(mode, kernel),
            lost: Arc::default(),
        }
    }

    /// Of processes that the launcher does not start.
    #[must_use]
    pub fn without(mode: Mode, kernel: &Kernel, reason: &str) -> Self {
        Self {
            argument: "try:".to_owned(),
            possible: JailReport::without(mode, kernel, reason),
            lost: Arc::default(),
        }
    }

    /// What holds: what the kernel can do, without what the launcher could not put up the last time.
    #[must_use]
    pub fn report(&self) -> JailReport {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        self.possible.clone().lacking(&lost)
    }

    /// A start lacked these layers. Gives what is to be said of it, once.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only the launcher's pipe tells it")
    )]
    pub(crate) fn came_to(&self, lost: Vec<Loss>) -> Option<String> {
        let mut known = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *known != lost;
        *known = lost;
        drop(known);
        self.report().missing().filter(|_| is_news)
    }

    /// The launcher's second argument.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.argument
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_one_of_three_words_and_anything_else_is_refused_by_the_variables_name() {
        for mode in [Mode::Auto, Mode::Require, Mode::Off] {
            assert_eq!(Mode::parse(mode.name()).unwrap(), mode);
        }
        for wrong in ["", "on", "AUTO", " auto", "require,off", "0"] {
            let error = Mode::parse(wrong).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidOption);
            assert!(
                error
                    .message
                    .starts_with("EMDASH_SANDBOX_JAIL must be auto, require or off")
            );
        }
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "of the jail, which only Linux has")]
    fn the_launcher_is_asked_for_what_the_kernel_has() {
        let whole = Kernel::of_tests(Landlock::Abi(7), None);
        let told = |mode, kernel: &Kernel| Jail::new(mode, kernel, false).argument;
        let all = "limits,capabilities,files,network,scope,calls";
        assert_eq!(told(Mode::Auto, &whole), format!("try:{all}"));
        assert_eq!(told(Mode::Require, &whole), format!("must:{all}"));
        assert_eq!(told(Mode::Off, &whole), "try:");
        let older = Kernel::of_tests(Landlock::Abi(4), None);
        assert_eq!(
            told(Mode::Auto, &older),
            "try:limits,capabilities,files,network,calls"
        );
        let bare = Kernel::of_tests(Landlock::Without(Obstacle::Missing), Some(Obstacle::Missing));
        assert_eq!(told(Mode::Auto, &bare), "try:limits,capabilities");
        assert_eq!(
            Jail::new(Mode::Auto, &bare, true).argument,
            "strict:limits,capabilities"
        );
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "of the jail, which only Linux has")]
    fn what_the_launcher_lost_is_reported_until_a_start_has_it_and_is_news_once() {
        let jail = Jail::new(Mode::Auto, &Kernel::of_tests(Landlock::Abi(7), None), false);
        assert_eq!((jail.report().missing(), jail.came_to(Vec::new())), (None, None));
        let lost = || {
            let reason = "it is a script".to_owned();
            vec![Loss {
                layer: Layer::Files,
                reason,
            }]
        };
        let said = "files (it could not be put up at the last start: it is a script)";
        assert_eq!(jail.clone().came_to(lost()).as_deref(), Some(said));
        assert_eq!(jail.came_to(lost()), None);
        assert_eq!(jail.report().missing().as_deref(), Some(said));
        let [_, _, files, network, ..] = &jail.report().layers[..] else {
            panic!("all layers are told");
        };
        assert_eq!(
            (files.obstacle.is_some(), network.obstacle.is_some()),
            (true, false)
        );
        jail.came_to(Vec::new());
        assert_eq!(jail.report().missing(), None);
    }
}
