//! A run's records, as far as its times go.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use crate::failure::Failure;

/// One run of the main job.
#[derive(Debug)]
pub(super) struct Run {
    /// When its command was started.
    started: Timestamp,
    scenarios: Vec<Scenario>,
}

#[derive(Debug, Deserialize)]
struct Scenario {
    #[serde(rename = "scenario")]
    point: Point,
    started_at: Timestamp,
    finished_at: Timestamp,
    timings_ms: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Point {
    pub(super) replicas: u32,
    pub(super) workers: u32,
    pub(super) users: u32,
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
    pub(super) point: Point,
    pub(super) change: Change,
    /// s.
    pub(super) overhead: f64,
    /// From scaling until Locust lists every worker, s.
    pub(super) listed: f64,
}

impl Scenario {
    /// Seconds spent in these phases.
    fn spent(&self, phases: &[&str]) -> f64 {
        let known = phases.iter().filter_map(|phase| self.timings_ms.get(*phase));
        known.sum::<u64>() as f64 / 1000.0
    }
}

impl Run {
    pub(super) fn read(started: Timestamp, path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, "read", &error))?;
        let scenarios = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let scenarios =
            scenarios.map_err(|error| Failure::bug(format!("{}: not a record: {error}", path.display())))?;
        Ok(Self { started, scenarios })
    }

    /// From the start of the command to that of the first load, s.
    pub(super) fn to_first_request(&self) -> Option<f64> {
        let first = self.scenarios.first()?;
        Some(between(self.started, first.started_at) + first.spent(&["scale", "ready"]))
    }

    /// What each scenario cost, to the start of the next one.
    pub(super) fn costs(&self, cooldown: f64) -> Vec<Cost> {
        let cost = |(at, one): (usize, &Scenario)| {
            let (wall, cooldown) = match self.scenarios.get(at + 1) {
                Some(next) => (between(one.started_at, next.started_at), cooldown),
                // Nothing waits for the end of the last one's cooldown.
                None => (between(one.started_at, one.finished_at), one.spent(&["drain"])),
            };
            let before = at.checked_sub(1).map(|before| &self.scenarios[before].point);
            Cost {
                point: one.point,
                change: change(before, &one.point),
                overhead: wall - one.spent(&["ramp", "warmup", "window"]) - cooldown,
                listed: one.spent(&["scale", "workers"]),
            }
        };
        self.scenarios.iter().enumerate().map(cost).collect()
    }
}

fn change(before: Option<&Point>, now: &Point) -> Change {
    match before {
        None => Change::First,
        Some(before) if before.replicas != now.replicas => Change::Replicas,
        Some(before) if before.workers != now.workers => Change::Workers,
        Some(_) => Change::Users,
    }
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let scenario = |replicas, workers, users, start: i64, end: i64| Scenario {
            point: Point { replicas, workers, users },
            started_at: Timestamp::from_second(start).unwrap(),
            finished_at: Timestamp::from_second(end).unwrap(),
            timings_ms: [("scale", 100), ("ready", 1400), ("workers", 900), ("ramp", 2000)]
                .into_iter()
                .chain([("window", 10_000), ("drain", 1000)])
                .map(|(phase, ms)| (phase.to_owned(), ms))
                .collect(),
        };
        Run {
            started: Timestamp::from_second(70).unwrap(),
            scenarios: vec![scenario(1, 2, 10, 100, 115), scenario(1, 2, 20, 120, 135)],
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
        let point = |replicas, workers, users| Point { replicas, workers, users };
        let before = point(1, 2, 10);
        assert_eq!(change(None, &before), Change::First);
        assert_eq!(change(Some(&before), &point(1, 2, 20)), Change::Users);
        assert_eq!(change(Some(&before), &point(1, 4, 20)), Change::Workers);
        assert_eq!(change(Some(&before), &point(2, 1, 10)), Change::Replicas);
    }
}
