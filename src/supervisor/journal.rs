//! Where the lines of one plugin go: its own, its process's, and ours about it.

use std::sync::Arc;

use tokio::time::Instant;

use super::log_rate::{LogRate, Passage};
use super::outbox::{Event, Log, Outbox};
use crate::bridge::LogLine;
use crate::workerd::Stream;

/// To be used on the io thread.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    /// The plugin's id, made safe to print: it is data, and may hold anything.
    label: Arc<str>,
    outbox: Arc<Outbox>,
    rate: LogRate,
}

impl Journal {
    pub(super) fn new(label: Arc<str>, outbox: Arc<Outbox>) -> Self {
        let rate = LogRate::default();
        Self { label, outbox, rate }
    }

    /// What the plugin passed to `ctx.log`.
    pub(super) fn plugin(&self, LogLine { level, message, data }: LogLine) {
        self.write(|plugin_id| Log::Plugin {
            plugin_id,
            level,
            message,
            data,
        });
    }

    /// What its process wrote.
    pub(super) fn output(&self, stream: Stream, line: String) {
        self.write(|plugin_id| Log::Output {
            plugin_id,
            stream,
            line,
        });
    }

    /// What the supervisor has to say of it. Never dropped: the plugin has no say in how often.
    pub(super) fn notice(&self, message: String) {
        self.outbox.push(Event::Log(Log::Notice {
            plugin_id: Some(Arc::clone(&self.label)),
            message,
        }));
    }

    fn write(&self, log: impl FnOnce(Arc<str>) -> Log) {
        match self.rate.line(Instant::now()) {
            Passage::Pass => self.outbox.push(Event::Log(log(Arc::clone(&self.label)))),
            Passage::Drop => {}
            Passage::DropAndReport { after } => {
                let journal = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    let dropped = journal.rate.take_dropped();
                    journal.notice(format!(
                        "{dropped} log lines dropped: it logs faster than they are printed"
                    ));
                });
            }
        }
    }
}
