//! The only place that builds a child command: from an empty environment.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the one file that may build a command"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::transport::Transport;
use crate::jail::Jail;

/// The programs and the environment that every process of a runner is made of.
#[derive(Debug, Clone)]
pub struct Programs {
    pub launcher: PathBuf,
    pub workerd: PathBuf,
    /// What is put around workerd, where the launcher starts it.
    pub jail: Jail,
    pub transport: Transport,
    /// All that the child's environment holds.
    pub environment: Vec<(OsString, OsString)>,
}

impl Programs {
    /// A command with that environment, whose output is read. What its standard input is, is for the caller to say.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The same in a group of its own: a terminal's Ctrl-C is Node's to handle, not the plugin's process's to die of.
    pub(super) fn command_apart(&self, program: &Path) -> Command {
        let mut command = self.command(program);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // CREATE_NEW_PROCESS_GROUP, and CREATE_NO_WINDOW: a server has no console to show.
        #[cfg(windows)]
        std::os::windows::process::CommandExt::creation_flags(&mut command, 0x0000_0200 | 0x0800_0000);
        command
    }
}
