//! How a run ends: the documented exit codes, and the one error type that carries them.

use std::fmt;

/// The exit code of a command. CI pipelines and the Job's `podFailurePolicy` branch on these
/// numbers, so a number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Every scenario was measured; the report says which figures can be trusted.
    Success = 0,
    /// A bug in this program.
    Bug = 1,
    /// The command line or the configuration cannot be used.
    Usage = 2,
    /// A tool, port, image or permission is missing; nothing was started.
    Preflight = 3,
    /// The cluster or Locust failed; the Job is tried again and resumes.
    Cluster = 4,
    /// A scenario ended FAILED, VOID or INFEASIBLE.
    Scenario = 5,
    /// A threshold was missed.
    Threshold = 6,
    /// Stopped from outside; what was recorded is kept.
    Interrupted = 130,
}

impl ExitCode {
    /// The text for `--help`: every code with its meaning.
    pub const HELP: &str = "\
Exit codes:
  0    every scenario was measured; the report says how far each can be trusted
  1    a bug in this program
  2    the command line or the configuration cannot be used
  3    a tool, port, image or permission is missing
  4    the cluster or Locust failed (the Job is tried again and resumes)
  5    a scenario ended FAILED, VOID or INFEASIBLE
  6    a threshold was missed
  130  interrupted; what was recorded is kept";

    /// The code a container or process ended with, if it is one of ours.
    pub fn from_number(code: i32) -> Option<Self> {
        [
            Self::Success,
            Self::Bug,
            Self::Usage,
            Self::Preflight,
            Self::Cluster,
            Self::Scenario,
            Self::Threshold,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|known| i32::from(*known as u8) == code)
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// One message for people: the subject, what is wrong with it, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The code the command ends with.
    pub code: ExitCode,
    /// Subject and problem, one line.
    pub message: String,
    /// What the reader can do about it, one line.
    pub next: Option<String>,
}

impl Error {
    /// An error with its exit code; add the next step with [`Error::next`].
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: None }
    }

    /// The command line or configuration is at fault (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// Something that must be there is missing (exit code 3).
    pub fn preflight(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Preflight, message)
    }

    /// The cluster or Locust failed (exit code 4).
    pub fn cluster(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Cluster, message)
    }

    /// The run was stopped from outside (exit code 130).
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Interrupted, message)
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn during(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(next) = &self.next {
            write!(f, "\n  next: {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The result of everything that can end a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_by_its_number() {
        assert_eq!(ExitCode::from_number(130), Some(ExitCode::Interrupted));
        assert_eq!(ExitCode::from_number(137), None);
    }

    #[test]
    fn a_message_shows_its_next_step() {
        let error = Error::usage("--users: 0 is not a load").next("give a number of 1 or more");
        assert_eq!(error.to_string(), "--users: 0 is not a load\n  next: give a number of 1 or more");
    }
}
