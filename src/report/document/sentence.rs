//! Sentences, each with the rows that it cites.

use crate::judge::Row;

/// A sentence of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The sentence, in plain characters.
    pub text: String,
    /// The ids of the scenarios that it cites; empty if it is about none.
    pub rows: Vec<String>,
}

impl Sentence {
    /// A sentence about these rows.
    pub fn about<'r>(rows: impl IntoIterator<Item = &'r Row<'r>>, text: impl Into<String>) -> Self {
        Self { text: text.into(), rows: rows.into_iter().map(|row| row.record.scenario.id.clone()).collect() }
    }

    /// A sentence that cites no row.
    pub fn general(text: impl Into<String>) -> Self {
        Self { text: text.into(), rows: Vec::new() }
    }
}

/// The text with a full stop at its end, also if it has one already.
pub(super) fn with_full_stop(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// The form of a verb or noun that fits the number.
pub(super) const fn form(count: u32, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}
