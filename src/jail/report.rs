//! What holds of the jail and what does not, with the reason and the remedy: for `status()`, the log and
//! `unavailableReason()`.

use super::{Kernel, Landlock, Layer, Loss, Mode, Obstacle};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JailReport {
    pub mode: Mode,
    /// Every layer, always in the same order.
    pub layers: Vec<LayerReport>,
    /// The version of the kernel's Landlock, whatever the mode; `None` when it has none.
    pub landlock_abi: Option<u32>,
    pub has_seccomp: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerReport {
    pub layer: Layer,
    /// What keeps it from holding whole; `None` when it does.
    pub obstacle: Option<String>,
}

const OFF: &str = "EMDASH_SANDBOX_JAIL is off";

impl JailReport {
    #[must_use]
    pub fn new(mode: Mode, kernel: &Kernel) -> Self {
        let layers = Layer::ALL.map(|layer| LayerReport {
            layer,
            obstacle: match mode {
                Mode::Off => Some(OFF.to_owned()),
                Mode::Auto | Mode::Require => obstacle(layer, kernel),
            },
        });
        Self {
            mode,
            layers: layers.into(),
            landlock_abi: match kernel.landlock {
                Landlock::Abi(abi) => Some(abi),
                Landlock::Without(_) => None,
            },
            has_seccomp: kernel.no_seccomp.is_none(),
        }
    }

    /// Of processes that the launcher does not start: whatever the kernel has, none of it is put up.
    #[must_use]
    pub fn without(mode: Mode, kernel: &Kernel, reason: &str) -> Self {
        let mut report = Self::new(mode, kernel);
        if mode != Mode::Off {
            for layer in &mut report.layers {
                layer.obstacle = Some(reason.to_owned());
            }
        }
        report
    }

    /// The same, but for layers that were lost at a start.
    pub(super) fn lacking(mut self, lost: &[Loss]) -> Self {
        for report in &mut self.layers {
            if let Some(Loss { reason, .. }) = lost.iter().find(|loss| loss.layer == report.layer) {
                report.obstacle = Some(format!("it could not be put up at the last start: {reason}"));
            }
        }
        self
    }

    /// What is missing, as a fragment without a full stop; `None` when nothing is.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
        for LayerReport { layer, obstacle } in &self.layers {
            let Some(obstacle) = obstacle.as_deref() else {
                continue;
            };
            match missing.iter_mut().find(|(same, _)| *same == obstacle) {
                Some((_, layers)) => layers.push(layer.name()),
                None => missing.push((obstacle, vec![layer.name()])),
            }
        }
        let clauses = missing
            .into_iter()
            .map(|(obstacle, layers)| format!("{} ({obstacle})", layers.join(", ")));
        let text = clauses.collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then_some(text)
    }
}

fn obstacle(layer: Layer, kernel: &Kernel) -> Option<String> {
    match layer {
        Layer::Limits | Layer::Capabilities => {
            (!kernel.has(layer)).then(|| Obstacle::OtherSystem.words("it"))
        }
        Layer::Files => landlock(kernel, 3, "6.2", "it lets files be truncated"),
        Layer::Network => landlock(kernel, 4, "6.7", "it knows no network"),
        Layer::Scope => landlock(kernel, 6, "6.12", "it knows neither signals nor abstract sockets"),
        Layer::Calls => kernel.no_seccomp.map(|obstacle| obstacle.words("seccomp")),
    }
}

fn landlock(kernel: &Kernel, needed: u32, linux: &str, lack: &str) -> Option<String> {
    match kernel.landlock {
        Landlock::Without(obstacle) => Some(obstacle.words("Landlock")),
        Landlock::Abi(abi) if abi < needed => Some(format!(
            "this kernel's Landlock has version {abi}, in which {lack}: use Linux {linux} or newer"
        )),
        Landlock::Abi(_) => None,
    }
}

impl Obstacle {
    fn words(self, what: &str) -> String {
        match self {
            Self::Missing => {
                format!(
                    "the kernel, or the container that it shows itself in, has no {what}: use Linux 6.12 or newer, and a container runtime that knows it"
                )
            }
            Self::Disabled => format!("{what} is disabled: start the kernel with it among lsm="),
            Self::Forbidden => {
                format!(
                    "{what} is forbidden here, as by an old container profile or a unit's SystemCallFilter: update the container runtime, or allow its calls"
                )
            }
            Self::OtherSystem => "only Linux has it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(report: &JailReport) -> Vec<&str> {
        let holds = report.layers.iter().filter(|layer| layer.obstacle.is_none());
        holds.map(|layer| layer.layer.name()).collect()
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "of the jail, which only Linux has")]
    fn a_new_kernel_has_all_of_it() {
        let report = JailReport::new(Mode::Require, &Kernel::of_tests(Landlock::Abi(7), None));
        assert_eq!(report.missing(), None);
        assert_eq!(holding(&report).len(), Layer::ALL.len());
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "of the jail, which only Linux has")]
    fn each_version_of_landlock_has_its_own_layers() {
        for (abi, layers) in [
            (1, &[][..]),
            (2, &[]),
            (3, &["files"]),
            (4, &["files", "network"]),
            (5, &["files", "network"]),
            (6, &["files", "network", "scope"]),
            (99, &["files", "network", "scope"]),
        ] {
            let report = JailReport::new(Mode::Auto, &Kernel::of_tests(Landlock::Abi(abi), None));
            let expected = [&["limits", "capabilities"], layers, &["calls"]].concat();
            assert_eq!(holding(&report), expected, "version {abi}");
            assert_eq!(report.missing().is_some(), abi < 6);
        }
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "of the jail, which only Linux has")]
    fn what_is_missing_is_said_once_with_the_reason_and_the_remedy() {
        let kernel = Kernel::of_tests(Landlock::Without(Obstacle::Forbidden), Some(Obstacle::Missing));
        let missing = JailReport::new(Mode::Auto, &kernel).missing().unwrap();
        assert_eq!(
            missing,
            "files, network, scope (Landlock is forbidden here, as by an old container profile or a unit's SystemCallFilter: \
             update the container runtime, or allow its calls); calls (the kernel, or the container that it shows itself in, has no seccomp: use Linux 6.12 or \
             newer, and a container runtime that knows it)"
        );
        let kernel = Kernel::of_tests(Landlock::Abi(4), None);
        assert_eq!(
            JailReport::new(Mode::Auto, &kernel).missing().unwrap(),
            "scope (this kernel's Landlock has version 4, in which it knows neither signals nor abstract sockets: use \
             Linux 6.12 or newer)"
        );
    }

    #[test]
    fn without_the_launcher_nothing_holds_and_the_reason_is_said_once() {
        let kernel = Kernel::of_tests(Landlock::Abi(7), None);
        let report = JailReport::without(Mode::Require, &kernel, "there is no launcher");
        assert_eq!(holding(&report), Vec::<&str>::new());
        let all = "limits, capabilities, files, network, scope, calls";
        assert_eq!(report.missing().unwrap(), format!("{all} (there is no launcher)"));
        let off = JailReport::without(Mode::Off, &kernel, "there is no launcher");
        assert_eq!(
            off.missing().unwrap(),
            format!("{all} (EMDASH_SANDBOX_JAIL is off)")
        );
    }

    #[test]
    fn another_system_has_no_layer_and_the_report_says_so() {
        let other = Obstacle::OtherSystem;
        let kernel = Kernel::of_tests(Landlock::Without(other), Some(other));
        for layer in [Layer::Files, Layer::Network, Layer::Scope, Layer::Calls] {
            assert_eq!(
                obstacle(layer, &kernel).as_deref(),
                Some("only Linux has it"),
                "{layer:?}"
            );
        }
        let missing = JailReport::new(Mode::Auto, &kernel).missing().unwrap();
        assert!(
            missing.ends_with("files, network, scope, calls (only Linux has it)"),
            "{missing}"
        );
    }

    #[test]
    fn off_is_off_whatever_the_kernel_has() {
        let report = JailReport::new(Mode::Off, &Kernel::of_tests(Landlock::Abi(7), None));
        assert_eq!(holding(&report), Vec::<&str>::new());
        assert_eq!((report.landlock_abi, report.has_seccomp), (Some(7), true));
        assert_eq!(
            report.missing().unwrap(),
            "limits, capabilities, files, network, scope, calls (EMDASH_SANDBOX_JAIL is off)"
        );
    }
}
