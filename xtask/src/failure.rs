//! An error as a person reads it: the subject, what is wrong with it, and the next step.

use std::io::Write as _;
use std::path::Path;

/// A bug in this tool.
pub(crate) const BUG: u8 = 1;
/// Wrong usage or configuration.
pub(crate) const USAGE: u8 = 2;
/// Something is missing on this machine: a tool, a port, an image, a permission.
pub(crate) const PREFLIGHT: u8 = 3;
/// The cluster or Locust failed.
pub(crate) const CLUSTER: u8 = 4;
/// A scenario failed.
pub(crate) const SCENARIO: u8 = 5;
/// An objective was missed, or whether it was met is unknown.
pub(crate) const OBJECTIVE: u8 = 6;
/// Stopped by a signal; what was measured is kept.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error, with the exit code of its kind.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// Subject and what is wrong with it, in one line.
    pub(crate) what: String,
    /// Evidence, for example the tail of a command's output.
    pub(crate) detail: String,
    /// What a person can do now.
    pub(crate) next: String,
    /// Stopped because a task that ran at the same time failed. The failure of that task is reported instead.
    pub(crate) cancelled: bool,
}

impl Failure {
    pub(crate) fn new(code: u8, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, what: what.into(), detail: String::new(), next: next.into(), cancelled: false }
    }

    pub(crate) fn preflight(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(PREFLIGHT, what, next)
    }

    pub(crate) fn bug(what: impl Into<String>) -> Self {
        Self::new(BUG, what, "please report this with the command that was run")
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(INTERRUPTED, "interrupted", "run the same command again")
    }

    /// See the field of this name.
    pub(crate) fn cancelled() -> Self {
        Self { cancelled: true, ..Self::interrupted() }
    }

    /// An exit code without a message, because the message is printed already.
    pub(crate) fn silent(code: u8) -> Self {
        Self::new(code, "", "")
    }

    /// A file that cannot be read or written: a permission or disk space is missing.
    pub(crate) fn file(path: &Path, action: &str, error: &std::io::Error) -> Self {
        Self::preflight(
            format!("{}: cannot {action}: {error}", path.display()),
            "check that the folder exists, is writable and has space",
        )
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The failure of a command that could not be started: how to install the program is the next step.
    pub(crate) fn with_installation(self, install: &str) -> Self {
        if self.is_interruption() { self } else { Self::preflight(self.what, install) }
    }

    /// Whether the pods, events and logs can explain it. A missed objective is explained by the reports.
    pub(crate) fn needs_evidence(&self) -> bool {
        !self.is_interruption() && self.code != OBJECTIVE
    }

    pub(crate) fn is_interruption(&self) -> bool {
        self.code == INTERRUPTED
    }

    /// The results of two tasks that ran at the same time, or the failure to report. A task that was only
    /// cancelled because the other one failed is not reported.
    pub(crate) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) if a.cancelled => Err(b),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        }
    }

    /// Writes it to stderr. A closed stderr must not turn a failure into a panic.
    pub(crate) fn report(&self) {
        if self.what.is_empty() {
            return;
        }
        let mut text = format!("error: {}\n", self.what);
        for line in self.detail.lines() {
            text.push_str("  | ");
            text.push_str(line);
            text.push('\n');
        }
        if !self.next.is_empty() {
            text.push_str("next: ");
            text.push_str(&self.next.replace('\n', "\n      "));
            text.push('\n');
        }
        text.push_str(&format_args!("(exit {}: {})\n", self.code, meaning(self.code)).to_string());
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

fn meaning(code: u8) -> &'static str {
    match code {
        BUG => "a bug in this tool, or a check that failed",
        USAGE => "usage or configuration",
        PREFLIGHT => "something is missing on this machine",
        CLUSTER => "the cluster or Locust failed",
        SCENARIO => "a scenario failed",
        6 => "an objective was missed or is unknown",
        INTERRUPTED => "interrupted",
        _ => "the code of the program that was run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_task_is_never_the_failure_that_is_reported() {
        let cause = Failure::preflight("kind: not found", "install it");
        let a = Failure::both::<(), ()>(Err(Failure::cancelled()), Err(cause.clone()));
        let b = Failure::both::<(), ()>(Err(cause), Err(Failure::cancelled()));
        assert_eq!(a.unwrap_err().code, PREFLIGHT);
        assert_eq!(b.unwrap_err().code, PREFLIGHT);
    }
}
