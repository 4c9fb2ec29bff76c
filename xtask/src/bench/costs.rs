//! What each scenario of a run costs beside its load, as its record tells.

use std::path::Path;

use jiff::Timestamp;
use records::{Record, Scenario};

use crate::failure::Failure;

/// One run of the main job.
#[derive(Debug)]
pub(super) struct Run {
    /// When its command was started.
    started: Timestamp,
    records: Vec<Record>,
}

/// What has changed since the scenario before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nothing came before: the cluster is as it was deployed.
    First,
    Users,
    Workers,
    Replicas,
}

/// A scenario's time beside ramp, warm-up, window and cooldown.
#[derive(Debug)]
pub(super) struct Cost {
    pub(super) scenario: Scenario,
    pub(super) change: Change,
    /// s.
    pub(super) overhead: f64,
    /// From scaling until Locust lists every worker, s.
    pub(super) listed: f64,
}

impl Run {
    pub(super) fn read(started: Timestamp, path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, "read", &error))?;
        let records =
            records::read(&text).map_err(|error| Failure::bug(format!("{}: {error}", path.display())))?;
        Ok(Self { started, records })
    }

    /// From the start of the command to that of the first load, s.
    pub(super) fn to_first_request(&self) -> Option<f64> {
        let first = self.records.first()?;
        Some(between(self.started, first.started_at) + seconds_in(first, &["scale", "ready"]))
    }

    /// What each scenario cost, to the start of the next one.
    pub(super) fn costs(&self, cooldown: f64) -> Vec<Cost> {
        let cost = |(at, record): (usize, &Record)| {
            let (wall, cooldown) = match self.records.get(at + 1) {
                Some(next) => (between(record.started_at, next.started_at), cooldown),
                // Nothing waits for the end of the last one's cooldown.
                None => (between(record.started_at, record.finished_at), seconds_in(record, &["drain"])),
            };
            let before = at.checked_sub(1).map(|before| &self.records[before].scenario);
            Cost {
                scenario: record.scenario.clone(),
                change: change(before, &record.scenario),
                overhead: wall - seconds_in(record, &["ramp", "warmup", "window"]) - cooldown,
                listed: seconds_in(record, &["scale", "workers"]),
            }
        };
        self.records.iter().enumerate().map(cost).collect()
    }
}

fn change(before: Option<&Scenario>, now: &Scenario) -> Change {
    match before {
        None => Change::First,
        Some(before) if before.replicas != now.replicas => Change::Replicas,
        Some(before) if before.workers != now.workers => Change::Workers,
        Some(_) => Change::Users,
    }
}

/// A phase that was not timed took no time.
fn seconds_in(record: &Record, phases: &[&str]) -> f64 {
    record.seconds_in(phases).unwrap_or_default()
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_records::{record, scenario};

    fn run() -> Run {
        let recorded = |replicas, workers, users, start: i64, end: i64| Record {
            started_at: Timestamp::from_second(start).unwrap(),
            finished_at: Timestamp::from_second(end).unwrap(),
            timings_ms: [("scale", 100), ("ready", 1400), ("workers", 900), ("ramp", 2000)]
                .into_iter()
                .chain([("window", 10_000), ("drain", 1000)])
                .map(|(phase, ms)| (phase.to_owned(), ms))
                .collect(),
            ..record(scenario("a", replicas, workers, users))
        };
        Run {
            started: Timestamp::from_second(70).unwrap(),
            records: vec![recorded(1, 2, 10, 100, 115), recorded(1, 2, 20, 120, 135)],
        }
    }

    #[test]
    fn the_first_request_comes_when_everything_is_ready() {
        assert_eq!(run().to_first_request(), Some(31.5));
    }

    #[test]
    fn ramp_window_and_cooldown_are_not_overhead() {
        let costs = run().costs(5.0);
        // 20 s to the next one, 2 + 10 of load, 5 of cooldown; the last: 15 - 2 - 10 - 1.
        let overheads: Vec<f64> = costs.iter().map(|cost| cost.overhead).collect();
        assert_eq!(overheads, [3.0, 2.0]);
        assert!((costs[0].listed - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_slowest_change_names_the_kind() {
        let point = |replicas, workers, users| scenario("a", replicas, workers, users);
        let before = point(1, 2, 10);
        assert_eq!(change(None, &before), Change::First);
        assert_eq!(change(Some(&before), &point(1, 2, 20)), Change::Users);
        assert_eq!(change(Some(&before), &point(1, 4, 20)), Change::Workers);
        assert_eq!(change(Some(&before), &point(2, 1, 10)), Change::Replicas);
    }
}
