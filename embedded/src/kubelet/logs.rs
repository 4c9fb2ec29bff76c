//! What a container writes: kept in files of bounded size, readable while it is written.

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

/// A file is closed at this size; it and the one before it are kept.
const FILE_BYTES: u64 = 4 << 20;
/// A longer line becomes several.
const LINE_BYTES: u64 = 16 << 10;
/// Pieces that a follower may be behind before it loses some.
const PIECES: usize = 1024;

/// The output of one run of a container.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    size: u64,
    last: Timestamp,
    /// Gone when the container has ended.
    live: Option<broadcast::Sender<Bytes>>,
}

impl Log {
    pub(super) fn create(path: PathBuf) -> std::io::Result<Arc<Self>> {
        let file = Some(File::create(&path)?);
        let live = Some(broadcast::Sender::new(PIECES));
        Ok(Arc::new(Self {
            path,
            state: Mutex::new(State { file, size: 0, last: Timestamp::UNIX_EPOCH, live }),
        }))
    }

    /// Takes in a stream until it ends, line by line.
    pub(super) fn take(self: &Arc<Self>, pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
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

    /// Adds a line. A full disk loses output, and ends nobody.
    fn write(&self, line: &[u8]) {
        let mut state = self.state();
        // Whoever comes back asks for what is after the last line that it has seen.
        let now = Timestamp::now().max(state.last + SignedDuration::from_nanos(1));
        state.last = now;
        let mut piece = format!("{now:.9} ").into_bytes();
        piece.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        piece.push(b'\n');
        if state.size + piece.len() as u64 > FILE_BYTES && state.size > 0 {
            let _ = std::fs::rename(&self.path, older(&self.path));
            state.file = File::create(&self.path).ok();
            state.size = 0;
        }
        state.size += piece.len() as u64;
        if let Some(file) = &mut state.file {
            let _ = file.write_all(&piece);
        }
        if let Some(live) = &state.live {
            // Nobody may be following.
            let _ = live.send(piece.into());
        }
    }

    /// The container has ended: followers come to their end.
    pub(super) fn close(&self) {
        let mut state = self.state();
        (state.live, state.file) = (None, None);
    }

    /// All that is kept, and what is still to come.
    pub(super) fn read(&self) -> LogReader {
        let state = self.state();
        let mut kept = std::fs::read(older(&self.path)).unwrap_or_default();
        kept.extend(std::fs::read(&self.path).unwrap_or_default());
        let following = state.live.as_ref().map(|live| follow(live.subscribe()));
        LogReader { so_far: Box::new(Cursor::new(kept)), following }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Without the times.
        text.lines().map(|line| line.split_once(' ').map_or("", |(_, text)| text).to_owned() + "\n").collect()
    }

    #[tokio::test]
    async fn a_follower_misses_nothing_and_sees_the_end() {
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
    async fn it_stays_within_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("a.log")).unwrap();
        for _ in 0..10 {
            log.write(&vec![b'x'; 1 << 20]);
        }
        log.write(b"last\n");
        let kept = text(log.read().so_far).await;
        assert!(kept.ends_with("last\n"));
        assert!(kept.len() as u64 <= 2 * FILE_BYTES, "{}", kept.len());
    }
}
