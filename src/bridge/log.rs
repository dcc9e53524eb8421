//! A plugin's `ctx.log`, as it may be printed.
use crate::workerd::sanitise_line;

/// What a checked `log` call asks to print. Its texts are safe for a terminal and a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub level: String,
    pub message: String,
    /// JSON text.
    pub data: Option<String>,
}

impl LogLine {
    /// From the arguments of [`super::Method::Log`], in its row's order.
    pub fn new(args: Vec<Option<String>>) -> Self {
        let mut args = args.into_iter();
        let [level, message, data] = std::array::from_fn(|_| args.next().flatten());
        Self {
            level: level.unwrap_or_default(),
            message: sanitise_line(message.unwrap_or_default().as_bytes()),
            data: data.map(|data| sanitise_line(data.as_bytes())),
        }
    }

    /// The same arguments, safe to print.
    pub fn into_args(self) -> Vec<Option<String>> {
        vec![Some(self.level), Some(self.message), self.data]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_plugin_do_not_reach_a_terminal() {
        let args = ["warn", "a\n\u{1b}[2J", "\"\u{202e}\""];
        let line = LogLine::new(args.map(|arg| Some(arg.to_owned())).into());
        assert_eq!(line.level, "warn");
        assert_eq!(line.message, r"a\u{a}\u{1b}[2J");
        assert_eq!(line.data.as_deref(), Some(r#""\u{202e}""#));
    }

    #[test]
    fn arguments_keep_their_places() {
        let args = vec![Some("info".to_owned()), Some("text".to_owned()), None];
        assert_eq!(LogLine::new(args.clone()).into_args(), args);
    }
}
