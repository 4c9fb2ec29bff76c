//! Reading the lines of `results.jsonl`.

use std::fmt;

use serde_json::Value;

use crate::upgrade::{OLDEST, upgrade};
use crate::{Record, VERSION};

/// The name of the file in a run's folder.
pub const FILE_NAME: &str = "results.jsonl";

/// A line that is not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} {}", self.line, self.problem)
    }
}

impl std::error::Error for ReadError {}

/// Reads records from JSON lines. Records of version 2 are upgraded.
///
/// # Errors
/// A line is not a record, or has a version that this program does not read.
pub fn read(text: &str) -> Result<Vec<Record>, ReadError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| record(line).map_err(|problem| ReadError { line: at + 1, problem })).collect()
}

fn record(line: &str) -> Result<Record, String> {
    let not_a_record = |error: serde_json::Error| format!("is not a record: {error}");
    let value: Value = serde_json::from_str(line).map_err(not_a_record)?;
    let Some(version) = value["version"].as_u64() else {
        return Err("is not a record: it has no version".into());
    };
    match version {
        newer if newer > u64::from(VERSION) => Err(format!("has format {newer}, newer than {VERSION}")),
        older if older < OLDEST => Err(format!("has format {older}, which is older than {OLDEST}")),
        2 => serde_json::from_value(upgrade(value)).map_err(not_a_record),
        _ => serde_json::from_str(line).map_err(not_a_record),
    }
}
