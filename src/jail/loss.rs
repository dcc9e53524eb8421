//! What the launcher says of a layer that it could not put up although it should be there.

use super::Layer;

/// A layer that does not hold, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) layer: Layer,
    pub(crate) reason: String,
}

/// What the launcher writes before it.
const LACKS: &str = "the jail lacks its layer ";

impl Loss {
    /// From a line of the launcher's, if it is such a line.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only the launcher's pipe tells it")
    )]
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, reason) = line.strip_prefix(LACKS)?.split_once(": ")?;
        let layer = Layer::ALL.into_iter().find(|layer| layer.name() == name)?;
        Some(Self {
            layer,
            reason: crate::workerd::sanitise_line(reason.as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_launchers_names_its_layer_and_the_reason() {
        let loss = Loss::parse("the jail lacks its layer files: /bin/x can't be jailed: no such file\u{1b}")
            .unwrap();
        assert_eq!(loss.layer, Layer::Files);
        assert_eq!(loss.reason, "/bin/x can't be jailed: no such file\\u{1b}");
    }

    #[test]
    fn what_workerd_says_on_the_same_pipe_is_none() {
        for line in [
            "",
            r#"{"event":"listen","socket":"entry","port":0}"#,
            "the jail lacks its layer everything: x",
            "the jail lacks its layer files",
        ] {
            assert_eq!(Loss::parse(line), None, "{line}");
        }
    }
}
