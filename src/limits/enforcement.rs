//! Which limits hold on this machine.

/// All of them, by the names under which `status()` tells them.
const ENFORCED: [&str; 6] = [
    "cpuMs",
    "memoryMb",
    "subrequests",
    "wallTimeMs",
    "maxUploadMb",
    "maxFetchMb",
];

const MEMORY: &str = "memoryMb";

/// Where a kernel says that it keeps no count of private memory (kernel-parameters.txt, `ignore_rlimit_data`). It is the
/// one part of enforcement that a machine can switch off without an error.
const IGNORES_DATA: &str = "/sys/module/kernel/parameters/ignore_rlimit_data";

/// What this machine makes of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enforcement {
    bounds_memory: bool,
}

impl Enforcement {
    pub(crate) fn probe() -> Self {
        // Older kernels and other systems do not have the parameter.
        Self::of(&std::fs::read_to_string(IGNORES_DATA).unwrap_or_default())
    }

    fn of(ignores_data: &str) -> Self {
        let bounds_memory = !matches!(ignores_data.trim(), "Y" | "y" | "1");
        Self { bounds_memory }
    }

    /// Names of the limits that hold whole.
    pub(crate) fn enforced(self) -> impl Iterator<Item = &'static str> {
        ENFORCED
            .into_iter()
            .filter(move |name| self.bounds_memory || *name != MEMORY)
    }

    /// What an operator must know, as a sentence's middle.
    pub(crate) fn notice(self) -> Option<String> {
        (!self.bounds_memory).then(|| {
            format!(
                "{MEMORY} holds for V8's heap only, not for buffers: this kernel was started with ignore_rlimit_data; \
                 start it without, or write N to {IGNORES_DATA}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_counts_no_private_memory_enforces_all_but_that_and_it_is_said() {
        for text in ["Y\n", "1\n", "y"] {
            let machine = Enforcement::of(text);
            assert!(machine.enforced().all(|name| name != MEMORY), "{text:?}");
            assert_eq!(machine.enforced().count(), ENFORCED.len() - 1);
            assert!(
                machine
                    .notice()
                    .is_some_and(|notice| notice.contains(IGNORES_DATA))
            );
        }
        for text in ["N\n", "0\n", ""] {
            let machine = Enforcement::of(text);
            assert!(machine.enforced().eq(ENFORCED), "{text:?}");
            assert_eq!(machine.notice(), None);
        }
    }
}
