//! The layers of the jail: which are asked for, and their order. `docs/security.md` says what each of them is for.

mod calls;
mod elf;
mod landlock;
mod libraries;
mod process;

use std::fmt;
use std::io;

use self::landlock::Fault;
use crate::program::Program;

/// Layers that hold on their own, by the names that the addon and its report use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// No core dump, no file that grows, a bound on open descriptors.
    Limits,
    /// No capability is left, also for root.
    Capabilities,
    /// Landlock: no file but what workerd is made of.
    Files,
    /// Landlock: no TCP.
    Network,
    /// Landlock: no signal and no abstract socket of another process.
    Scope,
    /// seccomp: no system call but those that workerd makes.
    Calls,
}

impl Layer {
    pub(crate) const ALL: [Self; 6] = [
        Self::Limits,
        Self::Capabilities,
        Self::Files,
        Self::Network,
        Self::Scope,
        Self::Calls,
    ];

    pub(crate) fn name(self) -> &'static str {
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

/// What to do about a layer that the kernel refuses, and about a system call that nobody expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Go on without the layer, and say so.
    Try,
    /// Start nothing.
    Must,
}

/// The argument `<policy>:<layer>,…`; the policies are `try`, `must`, and `strict`, which is `must` with an end for the
/// process at its first unexpected call. Tests run so: what workerd lacks can't pass for an error that it copes with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    policy: Policy,
    is_strict: bool,
    layers: Vec<Layer>,
}

impl Plan {
    pub(crate) fn parse(argument: &str) -> Option<Self> {
        let (policy, names) = argument.split_once(':')?;
        let (policy, is_strict) = match policy {
            "try" => (Policy::Try, false),
            "must" => (Policy::Must, false),
            "strict" => (Policy::Must, true),
            _ => return None,
        };
        let named = |name| Layer::ALL.into_iter().find(|layer| layer.name() == name);
        let layers = names.split(',').filter(|name| !name.is_empty()).map(named);
        Some(Self {
            policy,
            is_strict,
            layers: layers.collect::<Option<_>>()?,
        })
    }

    /// Shuts the door, but for the one `execve` of `program`. Gives the layers that it went on without.
    pub(crate) fn apply(&self, program: &Program) -> Result<Vec<Refused>, Refused> {
        let mut lost = Vec::new();
        // Rules are made of files that only the capabilities may reach, so those go after; the filter of system calls
        // would refuse what the other layers are set up with, so it comes last.
        self.one(Layer::Limits, &mut lost, process::limit)?;
        self.landlock(program, &mut lost)?;
        self.one(Layer::Capabilities, &mut lost, || {
            process::drop_capabilities(program)
        })?;
        self.one(Layer::Calls, &mut lost, || {
            calls::install(program, self.is_strict)
        })?;
        Ok(lost)
    }

    fn landlock(&self, program: &Program, lost: &mut Vec<Refused>) -> Result<(), Refused> {
        use Layer::{Files, Network, Scope};
        let mut asked: Vec<Layer> = [Files, Network, Scope]
            .into_iter()
            .filter(|layer| self.layers.contains(layer))
            .collect();
        let mut made_of = None;
        if asked.contains(&Files) {
            match libraries::of(program) {
                Ok(found) => made_of = Some(found),
                // A fault of the program's, not of the kernel's: the other two can do without its files.
                Err(error) => {
                    asked.retain(|layer| *layer != Files);
                    self.refused(Files, error, lost)?;
                }
            }
        }
        // They share one ruleset. Should the kernel refuse one of them, the others may hold all the same.
        while let Some(&last) = asked.last() {
            let rules = made_of.as_ref().filter(|_| asked.contains(&Files));
            match landlock::restrict(program, rules, &asked) {
                Ok(()) => break,
                Err(Fault { layer, error }) => {
                    let blamed = layer.unwrap_or(last);
                    asked.retain(|layer| *layer != blamed);
                    self.refused(blamed, error, lost)?;
                }
            }
        }
        Ok(())
    }

    fn one(
        &self,
        layer: Layer,
        lost: &mut Vec<Refused>,
        apply: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), Refused> {
        if !self.layers.contains(&layer) {
            return Ok(());
        }
        apply().or_else(|error| self.refused(layer, error, lost))
    }

    fn refused(&self, layer: Layer, error: io::Error, lost: &mut Vec<Refused>) -> Result<(), Refused> {
        let refused = Refused { layer, error };
        if self.policy == Policy::Must {
            return Err(refused);
        }
        lost.push(refused);
        Ok(())
    }
}

/// A layer that could not be put up.
#[derive(Debug)]
pub(crate) struct Refused {
    layer: Layer,
    error: io::Error,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, error } = self;
        write!(f, "the jail lacks its layer {}: {error}", layer.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_its_policy_and_its_layers() {
        let plan = Plan::parse("try:files,calls").unwrap();
        assert_eq!((plan.policy, plan.is_strict), (Policy::Try, false));
        assert_eq!(plan.layers, [Layer::Files, Layer::Calls]);
        let strict = Plan::parse("strict:limits").unwrap();
        assert_eq!((strict.policy, strict.is_strict), (Policy::Must, true));
        assert_eq!(Plan::parse("must:").unwrap().layers, []);
    }

    #[test]
    fn a_plan_with_a_word_that_is_none_is_refused_because_a_layer_would_be_missing_in_silence() {
        for wrong in [
            "",
            "off",
            "try",
            "maybe:files",
            "try:file",
            "try:files,,x",
            "try: files",
        ] {
            assert_eq!(Plan::parse(wrong), None, "{wrong:?}");
        }
    }
}
