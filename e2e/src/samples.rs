//! The requests that Locust's workers write to a file, one line each, if `LOCUST_MATRIX_DUMP` names one.

#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeMap;
use std::path::Path;

/// The name of the variable that tells a worker where to write.
pub const DUMP: &str = "LOCUST_MATRIX_DUMP";

/// One request, as a worker saw it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Response time, ms.
    pub ms: f64,
    /// Whether the request succeeded.
    pub succeeded: bool,
}

/// Returns the requests in a file by endpoint, and all of them under `Aggregated`.
#[must_use]
pub fn read(path: &Path) -> BTreeMap<String, Vec<Sample>> {
    let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let field: Vec<&str> = line.split('\t').collect();
        let sample = Sample { ms: field[3].parse().unwrap(), succeeded: field[5] == "1" };
        for name in [field[1], "Aggregated"] {
            samples.entry(name.to_owned()).or_default().push(sample);
        }
    }
    samples
}

/// Returns the response times of these samples in rising order, ms.
pub fn sorted_ms<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<f64> {
    let mut times: Vec<f64> = samples.into_iter().map(|sample| sample.ms).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Returns the nearest-rank percentile of sorted times, ms.
#[must_use]
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(percent * sorted.len()).div_ceil(100).max(1) - 1]
}
