//! A driver process of a trial.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::namespace::Problem;
use rustix::process::{Pid, Signal, kill_process};

/// A driver that runs. Its output goes to a file.
pub(crate) struct Driver {
    child: Child,
    log: PathBuf,
}

/// How a driver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(i32),
    /// A signal ended it.
    Killed,
    /// It did not end in time, and was killed.
    Hung,
}

impl Ending {
    /// Whether the run is complete.
    pub(crate) fn is_complete(self) -> bool {
        matches!(self, Self::Code(0 | 5))
    }

    /// Whether the run may be resumed.
    pub(crate) fn is_resumable(self) -> bool {
        matches!(self, Self::Code(3 | 4 | 130) | Self::Killed)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Killed => f.write_str("killed"),
            Self::Hung => f.write_str("hung"),
        }
    }
}

impl Driver {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, Problem> {
        let text = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = std::fs::File::create(log).map_err(text)?;
        let both = file.try_clone().map_err(text)?;
        let child = command.stdin(Stdio::null()).stdout(both).stderr(file).spawn().map_err(text)?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Sends a signal. It has no effect if the driver has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits for its end, and kills it if that takes longer than `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Ending {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.code().map_or(Ending::Killed, Ending::Code),
                _ if Instant::now() > deadline => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Ending::Hung;
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// The last lines of its output.
    pub(crate) fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
