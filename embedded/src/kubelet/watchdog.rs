//! The process that outlives the cluster for a moment: it ends what is left and removes the pods' files.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::os::unix::process::CommandExt as _;

use rustix::process::{Pid, Signal, kill_process_group};

/// First argument of this mode; the folder with the pods' files follows.
pub const WATCHDOG_MODE: &str = "--watchdog";

/// The cluster's end of it. When its pipe closes, the cluster has ended, however it did.
#[derive(Debug)]
pub(crate) struct Watchdog(Mutex<Child>);

impl Watchdog {
    /// Starts it, to look after the groups that it is told of and this folder.
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg(WATCHDOG_MODE)
            .arg(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not in reach of a Ctrl-C or of a signal to the cluster's group.
            .process_group(0)
            .current_dir("/")
            .spawn()?;
        Ok(Self(Mutex::new(child)))
    }

    pub(super) fn add(&self, group: Pid) {
        self.tell('+', group);
    }

    pub(super) fn forget(&self, group: Pid) {
        self.tell('-', group);
    }

    fn tell(&self, sign: char, group: Pid) {
        let Some(pipe) = &mut self.child().stdin else { return };
        // Without it pods still end with the cluster; their children may not.
        let _ = pipe.write_all(format!("{sign}{}\n", group.as_raw_nonzero()).as_bytes());
    }

    /// Lets it end what is left, and waits until it has: a cluster that was asked to end leaves nothing, not
    /// even its watchdog.
    pub(super) fn end(&self) {
        // Waiting closes the pipe first.
        let _ = self.child().wait();
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches until the pipe closes, ends the groups that are left, and removes the folder.
pub fn watch(folder: &str) {
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
    // What is being killed may still write; a second look finds the folder at rest.
    for _ in 0..20 {
        if std::fs::remove_dir_all(&folder).is_ok() || !folder.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
