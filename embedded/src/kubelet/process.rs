//! A container as a group of processes that ends with this program, whatever ends this program.
//!
//! Three things see to that. A program is started through a small mode of this binary ([`become_pod`]) that
//! asks the kernel for its own death with its parent's, and then becomes the program. Every group is ended
//! as a whole. And a watchdog of ours outlives this program for the moment that it takes to end the groups
//! that are left: the kernel's promise covers children, not grandchildren.

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process_group, set_parent_process_death_signal};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::logs::Log;
use super::watchdog::Watchdog;

/// First argument of the mode that becomes a program: then come this process's ID, the program, its
/// arguments.
pub const POD_MODE: &str = "--become-pod";

/// How long output that is still in the pipe is waited for.
const DRAIN: Duration = Duration::from_millis(500);

/// What to start.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) folder: PathBuf,
}

/// A group of processes.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Pid,
    output: Vec<JoinHandle<()>>,
    watchdog: Arc<Watchdog>,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// As a shell says it: 128 and the signal's number for one that a signal ended.
    pub(super) code: i32,
    pub(super) signal: Option<i32>,
}

impl Launch {
    /// Starts it; its output goes to the log.
    pub(super) fn start(&self, watchdog: &Arc<Watchdog>, log: &Arc<Log>) -> io::Result<Process> {
        let own = std::env::current_exe()?;
        let mut command = Command::new(own);
        command
            .arg(POD_MODE)
            .arg(getpid().as_raw_nonzero().to_string())
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let group = group.ok_or_else(|| io::Error::other("ended before it could be watched"))?;
        watchdog.add(group);
        let mut output = Vec::new();
        output.extend(child.stdout.take().map(|pipe| log.take(pipe)));
        output.extend(child.stderr.take().map(|pipe| log.take(pipe)));
        Ok(Process { child, group, output, watchdog: Arc::clone(watchdog) })
    }
}

impl Process {
    /// The ID of the group, which is its first process's.
    pub(super) fn group(&self) -> Pid {
        self.group
    }

    /// Sends a signal to all of it.
    pub(super) fn signal(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill_process_group(self.group, signal);
    }

    /// Waits for the first process; the rest ends with it, as in a container.
    pub(super) async fn ended(&mut self) -> Ending {
        let status = self.child.wait().await;
        self.signal(Signal::KILL);
        self.watchdog.forget(self.group);
        for output in self.output.drain(..) {
            // A process that left the group may hold the pipe.
            let _ = timeout(DRAIN, output).await;
        }
        status.map_or(Ending { code: 255, signal: None }, Ending::of)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.watchdog.forget(self.group);
    }
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        let signal = status.signal();
        Self { code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)), signal }
    }
}

/// Becomes a pod's program: this returns only when that fails, with the exit code and the reason.
pub fn become_pod(arguments: &[String]) -> (u8, String) {
    let [parent, program, arguments @ ..] = arguments else {
        return (2, format!("{POD_MODE} is for the cluster's own use"));
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return (126, format!("{program}: its end cannot be tied to the cluster's: {error}"));
    }
    // The parent may have ended before it was asked to take this process along.
    if getppid().map(|parent| parent.as_raw_nonzero().to_string()).as_ref() != Some(parent) {
        return (126, format!("{program}: the cluster has ended"));
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    (code, format!("{program}: {error}"))
}
