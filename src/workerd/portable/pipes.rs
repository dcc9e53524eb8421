//! A child's pipes, by threads that may block: what every system can do, and Windows can't do otherwise.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::child::SMALL_STACK;
use crate::workerd::output::Reader;

const CHUNK_BYTES: usize = 8 * 1024;

/// Chunks that are read ahead. When they are this many, the child has to wait.
const CHUNKS_AHEAD: usize = 2;

/// Writes all of it and closes the pipe, for as long as the child takes: it may never read.
pub(super) fn write(mut pipe: impl Write + Send + 'static, bytes: Vec<u8>) -> io::Result<()> {
    thread(move || {
        // One that ends before it has read it says why itself.
        let _ = pipe.write_all(&bytes);
    })
}

/// The pipe, read by a thread that ends with it.
pub(super) fn read(pipe: Option<impl Read + Send + 'static>) -> io::Result<Option<Reader>> {
    let Some(mut pipe) = pipe else { return Ok(None) };
    let (chunks, received) = mpsc::channel::<io::Result<Bytes>>(CHUNKS_AHEAD);
    thread(move || {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let read = match pipe.read(&mut chunk) {
                Ok(0) => return,
                Ok(length) => {
                    chunk.truncate(length);
                    Ok(chunk.into())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_broken = read.is_err();
            if chunks.blocking_send(read).is_err() || is_broken {
                return;
            }
        }
    })?;
    let stream = futures_util::stream::unfold(received, |mut received| async {
        received.recv().await.map(|chunk| (chunk, received))
    });
    Ok(Some(Box::new(StreamReader::new(Box::pin(stream)))))
}

fn thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = std::thread::Builder::new().name("emdash-pipe".into());
    builder.stack_size(SMALL_STACK).spawn(work)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_to_its_end_and_not_much_ahead() {
        let (theirs, ours) = std::io::pipe().unwrap();
        let text = "line\n".repeat(100_000);
        write(ours, text.clone().into_bytes()).unwrap();
        let mut read_back = String::new();
        let mut reader = read(Some(theirs)).unwrap().unwrap();
        reader.read_to_string(&mut read_back).await.unwrap();
        assert!(read_back == text);
        assert!(read(None::<std::io::Empty>).unwrap().is_none());
    }
}
