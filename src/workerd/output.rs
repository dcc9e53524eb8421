//! What a process says on standard output and standard error: drained always, line by line, made safe, and passed on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::readiness::Announcement;
use super::sanitise::sanitise_line;

/// Where lines go: from which stream, and the line without its end.
pub(crate) type LineSink = Arc<dyn Fn(Stream, String) + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// One of the process's pipes.
pub(super) type Reader = Box<dyn AsyncBufRead + Send + Unpin>;

/// Where lines come from.
pub(crate) struct Source {
    pipe: Option<Reader>,
    /// What workerd says in between, where it says it there.
    announcement: Option<Announcement>,
}

impl Source {
    pub(super) fn read(pipe: Option<Reader>) -> Self {
        Self {
            pipe,
            announcement: None,
        }
    }

    pub(super) fn with(self, announcement: Announcement) -> Self {
        Self {
            announcement: Some(announcement),
            ..self
        }
    }
}

/// Enough of the last lines to explain an end; a stack trace of V8's fatal errors is about this long.
const KEPT_LINES: usize = 24;

/// A line past this is passed on in pieces. The sanitiser cuts further; this bounds what is held before it is asked.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// How long an ended process's last words are waited for. They are in the pipe already; only a descendant that holds the
/// pipe open could make this matter, and workerd has none.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// The two drains of one process.
#[derive(Debug)]
pub(crate) struct Output {
    last: Arc<Mutex<VecDeque<String>>>,
    drains: Vec<JoinHandle<()>>,
}

impl Output {
    /// Must be called on the io thread.
    pub(crate) fn drain(out: Source, err: Source, sink: &LineSink) -> Self {
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let mut drains = Vec::new();
        for (stream, Source { pipe, announcement }) in [(Stream::Out, out), (Stream::Err, err)] {
            let Some(pipe) = pipe else { continue };
            let said = Said {
                stream,
                announcement,
                sink: Arc::clone(sink),
                last: Arc::clone(&last),
            };
            drains.push(tokio::spawn(pass_on(pipe, said)));
        }
        Self { last, drains }
    }

    /// What the process said last on standard error, once it has ended.
    pub(crate) async fn last_words(&mut self) -> Vec<String> {
        let ends = self
            .drains
            .iter_mut()
            .map(|drain| async move { drop(drain.await) });
        // Past the time-out the lines that did arrive must do.
        let _ = tokio::time::timeout(LAST_WORDS, futures_util::future::join_all(ends)).await;
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .collect()
    }
}

/// What becomes of a line.
struct Said {
    stream: Stream,
    announcement: Option<Announcement>,
    sink: LineSink,
    last: Arc<Mutex<VecDeque<String>>>,
}

async fn pass_on(mut pipe: impl AsyncBufRead + Unpin, mut said: Said) {
    let mut line = Vec::new();
    let mut pace = Pace::default();
    let mut statistics = Statistics::default();
    while let Ok(true) = read_line(&mut pipe, &mut line).await {
        pace.keep(line.len()).await;
        if Announcement::is_in(&mut said.announcement, &line) {
            continue;
        }
        if is_noise(&line) || statistics.go_on_with(&mut line) {
            continue;
        }
        let text = sanitise_line(&line);
        if said.stream == Stream::Err {
            let mut last = said.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == KEPT_LINES {
                last.pop_front();
            }
            last.push_back(text.clone());
        }
        if !repeats_itself(&line) {
            (said.sink)(said.stream, text);
        }
    }
}

/// Bounds how much of a flood is read: a process that writes more has to wait, and nobody else does.
#[derive(Default)]
struct Pace {
    turn: Option<Instant>,
    read: usize,
}

/// 5 MiB a second: far more than anybody reads, and little for the thread that all plugins share.
const TURN: Duration = Duration::from_millis(50);
const MAX_TURN_BYTES: usize = 256 * 1024;

impl Pace {
    async fn keep(&mut self, bytes: usize) {
        let turn = *self.turn.get_or_insert_with(Instant::now);
        self.read += bytes + 1;
        if self.read >= MAX_TURN_BYTES {
            tokio::time::sleep_until(turn + TURN).await;
            *self = Self::default();
        }
    }
}

/// What workerd says at every start with V8 flags set, of a cache that they make useless. It explains nothing.
fn is_noise(line: &[u8]) -> bool {
    const CACHE: &[u8] = b"per-isolate bootstrap compile cache failed its compatibility check";
    line.windows(CACHE.len()).any(|window| window == CACHE)
}

/// The page about itself that workerd's allocator prints when it has nothing left to give, and with which the process
/// ends. It would push the one line that tells out of those that are kept.
#[derive(Default)]
struct Statistics {
    left: usize,
}

/// It begins in the middle of the line that tells: `Unable to allocate 976 (new failed)See https://…`.
const BEGIN_OF_STATISTICS: &[u8] = b"(new failed)See ";
const TELLING: usize = b"(new failed)".len();

/// 140 when measured. Bounded, so that a plugin that prints such a line does not silence workerd for good.
const LINES_OF_STATISTICS: usize = 200;

impl Statistics {
    /// Whether the line is of such a page. The line that it begins in is cut to what tells.
    fn go_on_with(&mut self, line: &mut Vec<u8>) -> bool {
        let mut windows = line.windows(BEGIN_OF_STATISTICS.len());
        if let Some(at) = windows.position(|window| window == BEGIN_OF_STATISTICS) {
            line.truncate(at + TELLING);
            self.left = LINES_OF_STATISTICS;
            return false;
        }
        let is_of_it = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_of_it
    }
}

/// What workerd's allocator says, eight lines at a time, whenever a plugin asks for more memory than its limit leaves.
/// The plugin is told, or the reason of its end says it.
fn repeats_itself(line: &[u8]) -> bool {
    const ALLOCATOR: &[u8] = b"tcmalloc/internal/system_allocator.h";
    line.windows(ALLOCATOR.len()).any(|window| window == ALLOCATOR)
}

/// Reads up to and without the next newline, or [`MAX_LINE_BYTES`]; false at the end.
async fn read_line(pipe: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    loop {
        let buffered = pipe.fill_buf().await?;
        if buffered.is_empty() {
            return Ok(!line.is_empty());
        }
        let room = MAX_LINE_BYTES - line.len();
        let window = &buffered[..buffered.len().min(room)];
        if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&window[..end]);
            pipe.consume(end + 1);
            return Ok(true);
        }
        let taken = window.len();
        line.extend_from_slice(window);
        pipe.consume(taken);
        if line.len() == MAX_LINE_BYTES {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut pipe = BufReader::with_capacity(7, bytes);
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while read_line(&mut pipe, &mut line).await.unwrap() {
            lines.push(line.clone());
        }
        lines
    }

    #[tokio::test]
    async fn lines_end_at_newlines_and_the_last_one_at_the_end() {
        assert_eq!(
            lines(b"one\n\nthree").await,
            [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]
        );
        assert!(lines(b"").await.is_empty());
    }

    #[tokio::test]
    async fn the_allocators_page_about_itself_is_left_out_and_what_comes_before_and_long_after_is_not() {
        let page = "MALLOC: 1 ( 2 MiB)\n".repeat(LINES_OF_STATISTICS);
        let text = format!("before\nUnable to allocate 976 (new failed)See https://x\n{page}after\n");
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let said = Arc::new(Mutex::new(Vec::new()));
        let sink: LineSink = {
            let said = Arc::clone(&said);
            Arc::new(move |_, line| said.lock().unwrap().push(line))
        };
        let said_on = Said {
            stream: Stream::Err,
            announcement: None,
            sink,
            last: Arc::clone(&last),
        };
        pass_on(BufReader::new(text.as_bytes()), said_on).await;
        let expected = ["before", "Unable to allocate 976 (new failed)", "after"];
        assert_eq!(*said.lock().unwrap(), expected);
        assert_eq!(*last.lock().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_read_at_its_pace_and_a_trickle_at_once() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        for _ in 0..1024 {
            pace.keep(1023).await;
        }
        assert_eq!(start.elapsed(), 4 * TURN);
        let mut slow = Pace::default();
        for _ in 0..1000 {
            slow.keep(1023).await;
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(start.elapsed(), 4 * TURN + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_held_only_up_to_its_bound() {
        let flood = vec![b'x'; MAX_LINE_BYTES * 2 + 5];
        let lengths: Vec<_> = lines(&flood).await.iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_LINE_BYTES, MAX_LINE_BYTES, 5]);
    }
}
