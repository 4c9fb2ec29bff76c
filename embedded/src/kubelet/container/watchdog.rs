//! The watchdog: a process that outlives the cluster for a moment. It ends the processes that are left, and
//! removes the files of the pods.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// First argument of this program when it runs as the watchdog. The second one is the folder with the pods'
/// files.
pub const WATCHDOG_MODE: &str = "--watchdog";

/// The cluster's connection to its watchdog. When this pipe closes, the watchdog knows that the cluster has
/// ended, whatever has ended it. `None` after the end of the watchdog.
#[derive(Debug)]
pub(crate) struct Watchdog(Mutex<Option<Child>>);

impl Watchdog {
    /// Starts the watchdog for this folder. It shares the lock until it has ended, so that no other cluster uses
    /// the folder while the watchdog removes it.
    pub(crate) fn start(folder: &Path, lock: File) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg(WATCHDOG_MODE)
            .arg(folder)
            .env_clear()
            .stdin(Stdio::piped())
            // Nothing is written there. An open file is inherited only as one of the standard streams.
            .stdout(lock)
            .stderr(Stdio::null())
            // A group of its own, so that Ctrl-C and signals to the cluster's group do not reach it.
            .process_group(0)
            .current_dir("/")
            .spawn()?;
        Ok(Self(Mutex::new(Some(child))))
    }

    /// Adds a process group that the watchdog has to end.
    pub(crate) fn add(&self, group: Pid) {
        self.tell('+', group);
    }

    /// Removes a process group that has ended.
    pub(crate) fn forget(&self, group: Pid) {
        self.tell('-', group);
    }

    /// A watchdog that has already ended.
    #[cfg(test)]
    pub(crate) fn ended() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(Mutex::new(None)))
    }

    fn tell(&self, sign: char, group: Pid) {
        let mut child = self.child();
        let Some(pipe) = child.as_mut().and_then(|child| child.stdin.as_mut()) else { return };
        // If the watchdog has died, the pods still end with the cluster, but their child processes may not.
        let _ = pipe.write_all(format!("{sign}{}\n", group.as_raw_nonzero()).as_bytes());
    }

    /// Lets the watchdog finish its work, and waits for its end. So a cluster that ends regularly leaves no
    /// process behind, not even its watchdog.
    pub(crate) fn end(&self) {
        let child = self.child().take();
        if let Some(mut child) = child {
            // `wait` closes the pipe first.
            let _ = child.wait();
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs as the watchdog: waits until the pipe closes, ends the groups that are left, and removes the folder.
pub fn run_watchdog(folder: &str) {
    let mut groups = BTreeSet::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let Some(group) = line.get(1..).and_then(|id| id.parse::<i32>().ok()) else { continue };
        if line.starts_with('+') {
            groups.insert(group);
        } else {
            groups.remove(&group);
        }
    }
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let folder = PathBuf::from(folder);
    // Processes that are being killed may still write files, so removing the folder may need several
    // attempts.
    for _ in 0..20 {
        if std::fs::remove_dir_all(&folder).is_ok() || !folder.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
