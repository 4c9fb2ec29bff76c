//! The log of commands: every command, its output, its status and how long it took.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::failure::Failure;
use crate::folders;

#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: Mutex<File>,
    started: Instant,
    next: AtomicU32,
}

impl Log {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        if let Some(folder) = path.parent() {
            folders::create(folder)?;
        }
        let file = File::create(path).map_err(|error| Failure::file(path, "create", &error))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: Mutex::new(file),
            started: Instant::now(),
            next: AtomicU32::new(1),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Records the start of a command. Commands run at the same time, so each line has its command's number.
    pub(crate) fn begin(&self, line: &str) -> u32 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.write(&format!("[{}] #{number} $ {line}\n", self.elapsed()));
        number
    }

    pub(crate) fn output(&self, number: u32, line: &str) {
        self.write(&format!("#{number} | {line}\n"));
    }

    pub(crate) fn end(&self, number: u32, status: &str, started: Instant) {
        let took = started.elapsed().as_secs_f64();
        self.write(&format!("[{}] #{number} {status} after {took:.1} s\n", self.elapsed()));
    }

    fn elapsed(&self) -> String {
        format!("{:.1}s", self.started.elapsed().as_secs_f64())
    }

    fn write(&self, text: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end a run: the results may be on another disk.
        let _ = file.write_all(text.as_bytes());
    }
}
