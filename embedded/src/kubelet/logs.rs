//! What a container writes: kept in files of bounded size, readable while it is written.

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::runtime::LogReader;

/// A file is closed at this size; it and the one before it are kept.
const FILE_BYTES: u64 = 4 << 20;
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
    /// Gone when the container has ended.
    live: Option<broadcast::Sender<Bytes>>,
}

impl Log {
    pub(super) fn create(path: PathBuf) -> std::io::Result<Arc<Self>> {
        let file = Some(File::create(&path)?);
        let live = Some(broadcast::Sender::new(PIECES));
        Ok(Arc::new(Self { path, state: Mutex::new(State { file, size: 0, live }) }))
    }

    /// Takes in a stream until it ends.
    pub(super) fn take(self: &Arc<Self>, mut pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let log = Arc::clone(self);
        tokio::spawn(async move {
            let mut buffer = BytesMut::with_capacity(8192);
            while let Ok(1..) = pipe.read_buf(&mut buffer).await {
                log.write(buffer.split().freeze());
                buffer.reserve(8192);
            }
        })
    }

    /// Adds to it. A full disk loses output, and ends nobody.
    pub(super) fn write(&self, piece: Bytes) {
        let mut state = self.state();
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
            let _ = live.send(piece);
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
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    Bytes::from(format!("[{lost} pieces of output were lost here: read too slowly]\n"))
                }
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
        text
    }

    #[tokio::test]
    async fn a_follower_misses_nothing_and_sees_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("a.log")).unwrap();
        log.write("one\n".into());
        let reader = log.read();
        log.write("two\n".into());
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
            log.write(vec![b'x'; 1 << 20].into());
        }
        log.write("last\n".into());
        let kept = text(log.read().so_far).await;
        assert!(kept.ends_with("last\n"));
        assert!(kept.len() as u64 <= 2 * FILE_BYTES, "{}", kept.len());
    }
}
