//! Reading the lines of `results.jsonl`.

use std::fmt;

use serde::Deserialize;
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
    let mut records: Vec<Record> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut record = record(line).map_err(|problem| ReadError { line: at + 1, problem })?;
        record.compact(records.last());
        records.push(record);
    }
    Ok(records)
}

/// Reads the lines that are records and leaves out the others, such as a last line of which only half was written.
pub fn read_complete_lines(text: &str) -> Vec<Record> {
    text.lines().filter_map(|line| record(line).ok()).collect()
}

/// The part of a record that says how to read the rest.
#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    version: Value,
}

fn record(line: &str) -> Result<Record, String> {
    let not_a_record = |error: serde_json::Error| format!("is not a record: {error}");
    let Format { version } = serde_json::from_str(line).map_err(not_a_record)?;
    let Some(version) = version.as_u64() else {
        return Err("is not a record: it has no version".into());
    };
    match version {
        newer if newer > u64::from(VERSION) => Err(format!("has format {newer}, newer than {VERSION}")),
        older if older < OLDEST => Err(format!("has format {older}, which is older than {OLDEST}")),
        2 => {
            let value = serde_json::from_str(line).map_err(not_a_record)?;
            serde_json::from_value(upgrade(value)).map_err(not_a_record)
        }
        _ => serde_json::from_str(line).map_err(not_a_record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(id: &str) -> String {
        json!({
            "version": VERSION, "run_id": "run", "plan_hash": "hash", "attempt": 1,
            "scenario": {
                "id": id, "index": 0, "mode": "closed", "replicas": 1, "workers": 2, "users": 20, "repeat": 1
            },
            "environment": {
                "cluster": "kind", "target": "http://inference:8000", "primary": "POST /predict", "images": {},
                "generator": "Locust 2.46.6", "percentile_digits": 3
            },
            "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:30Z", "timings_ms": {},
            "intervals": [], "samples": [], "replicas": [], "workers": [], "errors": []
        })
        .to_string()
    }

    fn ids(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.scenario.id.as_str()).collect()
    }

    #[test]
    fn half_a_last_line_is_an_error_of_that_line() {
        let whole = format!("{}\n\n{}\n", line("a"), line("b"));
        assert_eq!(ids(&read(&whole).unwrap()), ["a", "b"]);
        assert_eq!(read(&whole[..whole.len() - 10]).unwrap_err().line, 3);
    }

    #[test]
    fn complete_lines_are_read_although_the_last_line_is_half() {
        let whole = format!("{}\n\n{}\n", line("a"), line("b"));
        assert_eq!(ids(&read_complete_lines(&whole)), ["a", "b"]);
        assert_eq!(ids(&read_complete_lines(&whole[..whole.len() - 10])), ["a"]);
        assert_eq!(ids(&read_complete_lines("")), [""; 0]);
    }
}
