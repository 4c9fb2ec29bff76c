//! Why a cluster does not start, or ends by itself.

use std::fmt;

/// Why a cluster does not start, or ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Something that the cluster needs is missing, or belongs to somebody else.
    Missing(String),
    /// A part of the cluster that must not end has ended: a bug in this program.
    PartEnded(&'static str),
}

impl Problem {
    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::PartEnded(_) => 1,
            Self::Missing(_) => 3,
        }
    }
}

impl From<String> for Problem {
    fn from(missing: String) -> Self {
        Self::Missing(missing)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => f.write_str(what),
            Self::PartEnded(part) => write!(
                f,
                "the {part} has stopped, so the cluster has ended all pods; this is a bug in this program\nnext: start the cluster again, and report this with the lines above"
            ),
        }
    }
}

impl std::error::Error for Problem {}
