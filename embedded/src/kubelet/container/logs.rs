//! The output of containers: content in files of limited size, and readable while it is written.

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::runtime::LogReader;

/// Largest size of a log file. The current file and the one before it are content.
const FILE_BYTES: u64 = 4 << 20;
/// Longest line. Longer lines are split.
const LINE_BYTES: u64 = 16 << 10;
/// Number of lines that a follower may be behind before it loses lines.
const BUFFERED_LINES: usize = 1024;

/// The output of one run of a container.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    output: Mutex<Output>,
}

#[derive(Debug)]
struct Output {
    file: Option<File>,
    size: u64,
    /// Time of the last line.
    last: Timestamp,
    /// `None` after the container has ended.
    live: Option<broadcast::Sender<Bytes>>,
}

impl Log {
    /// Creates an empty log in this file.
    pub(crate) fn create(path: PathBuf) -> std::io::Result<Arc<Self>> {
        let file = Some(File::create(&path)?);
        let live = Some(broadcast::Sender::new(BUFFERED_LINES));
        Ok(Arc::new(Self {
            path,
            output: Mutex::new(Output { file, size: 0, last: Timestamp::UNIX_EPOCH, live }),
        }))
    }

    /// Writes the lines of a stream into the log until the stream ends.
    pub(crate) fn capture(self: &Arc<Self>, pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let log = Arc::clone(self);
        tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while let Ok(1..) = (&mut pipe).take(LINE_BYTES).read_until(b'\n', &mut line).await {
                log.write(&line);
                line.clear();
            }
        })
    }

    /// Adds a line. If the disk is full, the line is lost, but the container goes on.
    fn write(&self, line: &[u8]) {
        let mut output = self.output();
        // Every line has its own time, because clients that reconnect ask for the lines after the last one
        // they have seen.
        let now = Timestamp::now().max(output.last + SignedDuration::from_nanos(1));
        output.last = now;
        let mut piece = format!("{now:.9} ").into_bytes();
        piece.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        piece.push(b'\n');
        if output.size + piece.len() as u64 > FILE_BYTES && output.size > 0 {
            let _ = std::fs::rename(&self.path, older(&self.path));
            output.file = File::create(&self.path).ok();
            output.size = 0;
        }
        output.size += piece.len() as u64;
        if let Some(file) = &mut output.file {
            let _ = file.write_all(&piece);
        }
        if let Some(live) = &output.live {
            // An error only means that there are no followers.
            let _ = live.send(piece.into());
        }
    }

    /// Closes the log after the container has ended. This ends all followers.
    pub(crate) fn close(&self) {
        let mut output = self.output();
        (output.live, output.file) = (None, None);
    }

    /// The lines that are content, and those that are still to come.
    pub(crate) fn read(&self) -> LogReader {
        let output = self.output();
        let mut content = std::fs::read(older(&self.path)).unwrap_or_default();
        content.extend(std::fs::read(&self.path).unwrap_or_default());
        let following = output.live.as_ref().map(|live| follow(live.subscribe()));
        LogReader { so_far: Box::new(Cursor::new(content)), following }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("older")
}

fn follow(mut live: broadcast::Receiver<Bytes>) -> Box<dyn AsyncRead + Send + Unpin> {
    let (reader, mut writer) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        loop {
            let piece = match live.recv().await {
                Ok(piece) => piece,
                Err(broadcast::error::RecvError::Lagged(lost)) => Bytes::from(format!(
                    "{:.9} [{lost} lines were lost here: read too slowly]\n",
                    Timestamp::now()
                )),
                Err(broadcast::error::RecvError::Closed) => return,
            };
            if writer.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    Box::new(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(mut reader: impl AsyncRead + Unpin) -> String {
        let mut text = String::new();
        reader.read_to_string(&mut text).await.unwrap();
        // Remove the times.
        text.lines().map(|line| line.split_once(' ').map_or("", |(_, text)| text).to_owned() + "\n").collect()
    }

    #[tokio::test]
    async fn a_follower_sees_every_line_and_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("a.log")).unwrap();
        log.write(b"one\n");
        let reader = log.read();
        log.write(b"two");
        log.close();
        assert_eq!(text(reader.so_far).await, "one\n");
        assert_eq!(text(reader.following.unwrap()).await, "two\n");
        let after = log.read();
        assert_eq!(text(after.so_far).await, "one\ntwo\n");
        assert!(after.following.is_none());
    }

    #[tokio::test]
    async fn a_log_stays_within_its_size_limit() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("a.log")).unwrap();
        for _ in 0..10 {
            log.write(&vec![b'x'; 1 << 20]);
        }
        log.write(b"last\n");
        let content = text(log.read().so_far).await;
        assert!(content.ends_with("last\n"));
        assert!(content.len() as u64 <= 2 * FILE_BYTES, "{}", content.len());
    }
}
