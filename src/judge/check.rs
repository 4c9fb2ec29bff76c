//! The outcome of one goal.

use crate::plan::Meets;

/// One goal of one point of the matrix, or one answer of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The point or the replicas, in words.
    pub subject: String,
    /// The scenarios behind it, by their ids.
    pub scenarios: Vec<String>,
    /// What must be reached.
    pub goal: String,
    /// Whether it is.
    pub meets: Meets,
    /// The figure, or why it is not known.
    pub detail: String,
    /// Whether the exit code depends on it.
    pub is_gated: bool,
}
