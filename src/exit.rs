//! The documented exit codes, and the error type that carries them.

use std::fmt;

use crate::secrets::hide_credentials;

/// The exit code of a command. CI pipelines and the Job's `podFailurePolicy` depend on these numbers, so a
/// number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Every scenario was measured; the report says which figures are reliable.
    Success = 0,
    /// A bug in this program.
    Bug = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A tool, port, image or permission is missing; nothing was started.
    Preflight = 3,
    /// The cluster or Locust failed; the Job tries again and resumes.
    Cluster = 4,
    /// A scenario ended FAILED, VOID or INFEASIBLE.
    Scenario = 5,
    /// An objective was missed, or whether it was met is unknown.
    Threshold = 6,
    /// Interrupted by a signal; the records are kept.
    Interrupted = 130,
}

impl ExitCode {
    /// The list of exit codes for `--help`.
    pub const HELP: &str = "\
Exit codes:
  0    every scenario was measured; the report says which figures are reliable
  1    a bug in this program
  2    the command line or the configuration is wrong
  3    a tool, port, image or permission is missing
  4    the cluster or Locust failed (the Job tries again and resumes)
  5    a scenario ended FAILED, VOID or INFEASIBLE
  6    an objective was missed or is unknown (--unknown pass lets unknown ones pass)
  130  interrupted; the records are kept";

    /// The exit code with this number, if there is one.
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

/// An error message for people: the subject, the problem, and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The command's exit code.
    pub code: ExitCode,
    /// Subject and problem, on one line.
    pub message: String,
    /// What the reader can do about it, on one line.
    pub next: Option<String>,
}

impl Error {
    /// An error with an exit code; add the next step with [`Error::next`]. Users and passwords in addresses are
    /// hidden.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: hide_credentials(&message.into()), next: None }
    }

    /// The command line or the configuration is wrong (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// A tool, port, image, object or permission is missing (exit code 3).
    pub fn preflight(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Preflight, message)
    }

    /// The cluster or Locust failed (exit code 4).
    pub fn cluster(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Cluster, message)
    }

    /// A signal interrupted the run (exit code 130).
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Interrupted, message)
    }

    /// Gives the flags that choose the cluster to each kubectl of the next step, which else would look at, or change,
    /// objects of the current context.
    #[must_use]
    pub fn with_kubectl_flags(mut self, flags: &str) -> Self {
        /// The commands that messages name. Elsewhere in a sentence, kubectl is only a program.
        const VERBS: [&str; 10] = [
            "api-resources",
            "create",
            "delete",
            "describe",
            "get",
            "logs",
            "rollout",
            "scale",
            "top",
            "version",
        ];
        let Some(next) = self.next.take() else { return self };
        let mut parts = next.split("kubectl ");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let verb = part.split([' ', '`', ';', ',']).next().unwrap_or_default();
            let flags = if VERBS.contains(&verb) { flags } else { "" };
            text = format!("{text}kubectl {flags}{part}");
        }
        Self { next: Some(text), ..self }
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Prefixes the message with the action that failed.
    #[must_use]
    pub fn during(mut self, action: &str) -> Self {
        self.message = format!("{action}: {}", self.message);
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

/// A result whose error ends the command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_found_by_its_number() {
        assert_eq!(ExitCode::from_number(130), Some(ExitCode::Interrupted));
        assert_eq!(ExitCode::from_number(137), None);
    }

    #[test]
    fn an_error_is_displayed_with_its_next_step() {
        let error = Error::usage("--users: 0 is not a load").next("give a number of 1 or more");
        assert_eq!(error.to_string(), "--users: 0 is not a load\n  next: give a number of 1 or more");
    }

    #[test]
    fn commands_of_kubectl_get_the_flags_of_the_cluster() {
        let next = |next: &str| {
            let error = Error::cluster("x").next(next).with_kubectl_flags("--context 'a b' --namespace n ");
            error.next.unwrap()
        };
        assert_eq!(
            next("kubectl scale deployment/a --replicas=1; kubectl get pods"),
            "kubectl --context 'a b' --namespace n scale deployment/a --replicas=1; kubectl --context 'a b' --namespace n \
             get pods"
        );
        assert_eq!(
            next("so that `kubectl version` works"),
            "so that `kubectl --context 'a b' --namespace n version` works"
        );
        assert_eq!(
            next("kubectl config get-contexts; kubectl scales it"),
            "kubectl config get-contexts; kubectl scales it"
        );
        assert_eq!(
            Error::cluster("x").next("kubectl get pods").with_kubectl_flags("").next.unwrap(),
            "kubectl get pods"
        );
    }
}
