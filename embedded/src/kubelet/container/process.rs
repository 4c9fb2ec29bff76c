//! Programs of containers: process groups that end when this program ends, whatever ends it.
//!
//! Three mechanisms ensure that:
//!
//! - A program is started through a mode of this binary ([`child::become_pod`]). It asks the kernel to kill it when
//!   its parent dies, and then executes the program.
//! - A process group is always ended as a whole.
//! - The watchdog outlives this program for a moment and ends the groups that are left, because the kernel
//!   kills only children, not grandchildren.
//!
//! The kernel sends the parent-death signal when the *thread* that started the child ends, not the process.
//! So programs may be started only from threads that live as long as this program: the workers of tokio's
//! runtime. They must not be started inside `spawn_blocking`, and no task may call `block_in_place`: either
//! would start them from a thread of the blocking pool, and tokio ends those threads when they are idle.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::logs::Log;
use super::watchdog::Watchdog;
use crate::kubelet::child;

/// How long to wait for output that is still in the pipe after a program has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// A program to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// The working directory.
    pub(crate) folder: PathBuf,
}

/// A running process group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    output: Vec<JoinHandle<()>>,
    watchdog: Arc<Watchdog>,
    ended: bool,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The exit code. As in a shell, 128 plus the signal number if a signal ended the program.
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
}

impl Launch {
    /// Starts the program. Its output goes to the log.
    pub(crate) fn start(&self, watchdog: &Arc<Watchdog>, log: &Arc<Log>) -> io::Result<Process> {
        let mut process = self.spawn(watchdog)?;
        process.output.extend(process.child.stdout.take().map(|pipe| log.capture(pipe)));
        process.output.extend(process.child.stderr.take().map(|pipe| log.capture(pipe)));
        Ok(process)
    }

    /// Runs the program to its end, and returns what it has written. The program is killed if the future is
    /// dropped.
    pub(crate) async fn run(&self, watchdog: &Arc<Watchdog>) -> io::Result<(Exit, String)> {
        let mut process = self.spawn(watchdog)?;
        let (stdout, stderr) = (process.child.stdout.take(), process.child.stderr.take());
        let (exit, output, errors) = tokio::join!(process.ended(), read(stdout), read(stderr));
        Ok((exit, output + &errors))
    }

    fn spawn(&self, watchdog: &Arc<Watchdog>) -> io::Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(child::mode())
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
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let group = group.ok_or_else(|| io::Error::other("the process has already ended"))?;
        watchdog.add(group);
        Ok(Process { child, group, output: Vec::new(), watchdog: Arc::clone(watchdog), ended: false })
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // An error ends the output.
        let _ = pipe.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Process {
    /// Sends a signal to all processes of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        // An error only means that the group has already ended.
        let _ = kill_process_group(self.group, signal);
    }

    /// Waits for the end of the first process. The others are killed then, as in a container.
    ///
    /// Callers may drop the future and call again, as in a loop around `select!`: nothing is lost by that.
    pub(crate) async fn ended(&mut self) -> Exit {
        let status = self.child.wait().await;
        self.end_group();
        // An output leaves the list only when it has been read to its end.
        while let Some(output) = self.output.last_mut() {
            // A process that has left the group may keep the pipe open.
            let _ = timeout(DRAIN_TIMEOUT, output).await;
            self.output.pop();
        }
        status.map_or(Exit { code: 255, signal: None }, Exit::of)
    }

    /// Only once: after that, the system may give the ID of the group to other processes.
    fn end_group(&mut self) {
        if !self.ended {
            self.ended = true;
            self.signal(Signal::KILL);
            self.watchdog.forget(self.group);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end_group();
    }
}

impl Exit {
    fn of(status: ExitStatus) -> Self {
        let signal = status.signal();
        Self { code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)), signal }
    }
}
