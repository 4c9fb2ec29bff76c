//! What went wrong, for a person: the subject, what is wrong with it, and the next step.

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
/// Stopped by a signal; what was measured is kept.
pub(crate) const INTERRUPTED: u8 = 130;

/// An ending that is not success, with the exit code that says which kind it is.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// Subject and what is wrong with it, in one line.
    pub(crate) what: String,
    /// Evidence, for example the tail of a command's output.
    pub(crate) detail: String,
    /// What a person can do now.
    pub(crate) next: String,
    /// Stopped because something beside it failed: never the news to report.
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

    pub(crate) fn cancelled() -> Self {
        Self { cancelled: true, ..Self::interrupted() }
    }

    /// An exit code alone: everything has been said.
    pub(crate) fn silent(code: u8) -> Self {
        Self::new(code, "", "")
    }

    /// A file that cannot be read or written is a permission or space that is missing.
    pub(crate) fn file(path: &Path, doing: &str, error: &std::io::Error) -> Self {
        Self::preflight(
            format!("{}: cannot {doing}: {error}", path.display()),
            "check that the folder exists, is writable and has space",
        )
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(crate) fn is_interruption(&self) -> bool {
        self.code == INTERRUPTED
    }

    /// Of two things that ran side by side, the failure that is news.
    pub(crate) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) if a.cancelled => Err(b),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        }
    }

    /// Write it to stderr. A closed stderr must not turn a failure into a panic.
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
        6 => "a threshold was missed",
        INTERRUPTED => "interrupted",
        _ => "the code of the program that was run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stopped_for_another_failure_is_never_the_news() {
        let news = Failure::preflight("kind: not found", "install it");
        let a = Failure::both::<(), ()>(Err(Failure::cancelled()), Err(news.clone()));
        let b = Failure::both::<(), ()>(Err(news), Err(Failure::cancelled()));
        assert_eq!(a.unwrap_err().code, PREFLIGHT);
        assert_eq!(b.unwrap_err().code, PREFLIGHT);
    }
}
