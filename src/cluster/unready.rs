//! Why a workload did not become ready.

use crate::exit::Error;
use crate::wait::TimedOut;

/// Why a workload did not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its pods cannot be placed on any node of this cluster.
    Unplaced(String),
    /// A pod cannot start until somebody changes something.
    Broken(String),
    /// An earlier wait has failed because of the same pods, and nothing has changed.
    AsBefore(String),
    /// Somebody else has set its replicas.
    Rescaled {
        /// The replicas that its spec has now.
        to: i64,
        /// Who has set them, as the field manager names itself.
        by: Option<String>,
    },
    /// The API server does not permit watching it, so waiting longer does not help.
    Refused(Error),
    /// The deadline passed, and the API server did not answer at the end.
    Away(TimedOut),
    /// The deadline passed.
    TimedOut(TimedOut),
}

impl Unready {
    /// The reason as a sentence about the workload `name`.
    pub fn describe(&self, name: &str) -> String {
        match self {
            Self::Unplaced(problem) => format!("pods of {name} cannot be placed: {problem}"),
            Self::Broken(problem) => format!("{name}: {problem}"),
            Self::AsBefore(problem) => format!("{problem} (as before, and not waited for again)"),
            Self::Rescaled { to, by } => {
                let who = by.as_ref().map(|by| format!(", field manager {by},")).unwrap_or_default();
                format!("something else{who} sets the replicas of {name} to {to}")
            }
            Self::Refused(error) => error.message.clone(),
            Self::Away(timed_out) | Self::TimedOut(timed_out) => format!("{name} is not ready {timed_out}"),
        }
    }
}
