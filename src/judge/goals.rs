//! Whether a point of the matrix meets the objective: yes, no, or not known.

use records::Objective;

use super::certainty::{
    Certainty, certainty_of_endpoint, certainty_of_point, goodput_of_endpoint, goodput_of_point,
};
use super::goal::{Goal, Limited};
use super::points::Point;
use super::row::Row;
use super::verdict::Verdict;
use crate::measure::{NoBounds, repeats_for};
use crate::plan::Meets;

/// More repeats than this are not recommended.
const MOST_REPEATS: usize = 20;
/// A window that is longer by more than this factor is not recommended.
const LONGEST_WINDOW: f64 = 20.0;

/// What could settle a goal without a figure.
const NOT_REQUESTED: &str =
    "no request to it was measured: compare its name with the endpoints in the cards of the report";

/// The outcome of a goal.
#[derive(Clone, Debug, PartialEq)]
pub enum GoalOutcome {
    /// The confidence interval lies within the goal.
    Met,
    /// The confidence interval lies beyond the goal.
    Missed,
    /// The interval spans the goal, or there is none.
    Unknown {
        /// What would settle it, in words.
        settle: String,
    },
}

impl GoalOutcome {
    /// The same without what would settle it.
    pub(super) fn meets(&self) -> Meets {
        match self {
            Self::Met => Meets::Met,
            Self::Missed => Meets::Missed,
            Self::Unknown { .. } => Meets::Unknown,
        }
    }
}

/// The outcome of the whole objective for a point: missed if a goal is missed, else unknown if one is unknown.
pub fn outcome_of(point: &Point<'_, '_>, objective: &Objective) -> GoalOutcome {
    let goals = Goal::all(objective);
    goals.iter().map(|goal| outcome_of_goal(point, goal)).reduce(worse).unwrap_or(GoalOutcome::Met)
}

/// The outcome of one goal for a point. A repeat in which the service failed requests or fell behind is a result, too: it
/// misses the goal, and the valid ones alone do not show that the goal is met.
pub(super) fn outcome_of_goal(point: &Point<'_, '_>, goal: &Goal) -> GoalOutcome {
    let misses: Vec<_> = point.others.iter().copied().filter(|row| misses(row, goal)).collect();
    let Some(valid) = of_valid_rows(point, goal) else {
        return match (misses.is_empty(), point.others.last()) {
            (false, _) => GoalOutcome::Missed,
            (true, Some(row)) => GoalOutcome::Unknown { settle: row.judgement.in_words() },
            (true, None) => GoalOutcome::Unknown { settle: "nothing was measured".into() },
        };
    };
    // Failures are counted over all repeats.
    let is_counted = goal.limited == Limited::Failures && goal.endpoint.is_none();
    match (valid, misses.last()) {
        (GoalOutcome::Missed, _) => GoalOutcome::Missed,
        (valid, None) => valid,
        (valid, Some(_)) if is_counted => valid,
        _ if misses.len() >= point.rows.len() => GoalOutcome::Missed,
        (_, Some(last)) => GoalOutcome::Unknown {
            settle: format!(
                "{} of {} repeats miss it ({}); more repeats could show how often",
                misses.len(),
                misses.len() + point.rows.len(),
                last.judgement.in_words()
            ),
        },
    }
}

/// The outcome that the valid rows show; `None` if there is none.
fn of_valid_rows(point: &Point<'_, '_>, goal: &Goal) -> Option<GoalOutcome> {
    if !point.has_valid_row() {
        return None;
    }
    Some(match goal.limited {
        Limited::Percentile(_) => at_most(point, figure_of(point, goal), goal.limit * 1000.0),
        Limited::Throughput => at_least(point, figure_of(point, goal), goal.limit),
        Limited::Failures => match failed_pct(point, goal.endpoint.as_deref()) {
            Some(pct) if pct <= goal.limit => GoalOutcome::Met,
            Some(_) => GoalOutcome::Missed,
            None => GoalOutcome::Unknown { settle: NOT_REQUESTED.to_owned() },
        },
    })
}

/// The figure that a goal is about: µs, requests/s, or failed requests of 100.
pub(super) fn figure_of(point: &Point<'_, '_>, goal: &Goal) -> Certainty {
    match (goal.limited, goal.endpoint.as_deref()) {
        (Limited::Percentile(q), None) => certainty_of_point(point, q),
        (Limited::Percentile(q), Some(name)) => certainty_of_endpoint(point, name, q),
        (Limited::Throughput, None) => goodput_of_point(point),
        (Limited::Throughput, Some(name)) => goodput_of_endpoint(point, name),
        (Limited::Failures, name) => {
            let value = failed_pct(point, name);
            Certainty { value, bounds: Err(NoBounds::TooFewSamples), rows: point.rows.len() }
        }
    }
}

/// Whether the verdict of a row that is not valid means that it misses this goal. The verdict is about the primary
/// endpoint.
pub(super) fn misses(row: &Row<'_>, goal: &Goal) -> bool {
    let is_latency = matches!(goal.limited, Limited::Percentile(_));
    let is_failures = goal.limited == Limited::Failures;
    // The share of failures that is allowed unless the objective names one is a part of each of its goals.
    let is_part_of_all = row.record.objective.failures_pct.is_none();
    goal.endpoint.is_none()
        && match row.judgement.verdict {
            // A failed request is infinitely slow, and a service that falls behind answers later and later.
            Verdict::Errors => is_latency || is_failures || is_part_of_all,
            // An overloaded service finishes as many requests as it can, so a higher throughput is out of reach.
            Verdict::Overloaded => {
                let is_less = || row.primary.is_some_and(|figures| figures.goodput < goal.limit);
                is_latency || goal.limited == Limited::Throughput && is_less()
            }
            _ => false,
        }
}

/// How far a figure is within its goal: 1 at the goal, more if it is better, 0 if it is infinitely slow. `None`
/// without a figure, and for failures, which have no ratio.
pub(super) fn ratio_to_goal(point: &Point<'_, '_>, goal: &Goal) -> Option<f64> {
    let value = figure_of(point, goal).value;
    match goal.limited {
        Limited::Percentile(_) => Some(goal.limit * 1000.0 / value?),
        Limited::Throughput => Some(value? / goal.limit),
        Limited::Failures => None,
    }
}

/// The failed requests of 100, over all repeats that tell what the service does. They are counted, so they need no interval.
/// `None` if no request was measured.
pub(super) fn failed_pct(point: &Point<'_, '_>, endpoint: Option<&str>) -> Option<f64> {
    let is_result = |row: &&&Row<'_>| matches!(row.judgement.verdict, Verdict::Errors | Verdict::Overloaded);
    let rows = point.rows.iter().chain(point.others.iter().filter(is_result));
    let counts = rows.filter_map(|row| match endpoint {
        Some(name) => row.endpoint(name),
        None => row.counts,
    });
    let (failed, all) =
        counts.fold((0, 0), |(failed, all), counts| (failed + counts.failures, all + counts.requests));
    (all > 0).then(|| 100.0 * failed as f64 / all as f64)
}

/// A missed goal outweighs an unknown one, which outweighs a met one.
fn worse(a: GoalOutcome, b: GoalOutcome) -> GoalOutcome {
    let weight = |outcome: &GoalOutcome| match outcome {
        GoalOutcome::Met => 0,
        GoalOutcome::Unknown { .. } => 1,
        GoalOutcome::Missed => 2,
    };
    if weight(&b) > weight(&a) { b } else { a }
}

/// A goal that the value must not exceed; `limit` is in its unit. An infinite percentile misses every goal.
fn at_most(point: &Point<'_, '_>, certainty: Certainty, limit: f64) -> GoalOutcome {
    match (certainty.value, certainty.bounds) {
        (Some(value), _) if value.is_infinite() => GoalOutcome::Missed,
        (_, Ok(bounds)) if bounds.high <= limit => GoalOutcome::Met,
        (_, Ok(bounds)) if bounds.low > limit => GoalOutcome::Missed,
        _ => GoalOutcome::Unknown { settle: settle(point, &certainty, limit) },
    }
}

/// A goal that the value must reach.
fn at_least(point: &Point<'_, '_>, certainty: Certainty, limit: f64) -> GoalOutcome {
    match certainty.bounds {
        Ok(bounds) if bounds.low >= limit => GoalOutcome::Met,
        Ok(bounds) if bounds.high < limit => GoalOutcome::Missed,
        _ => GoalOutcome::Unknown { settle: settle(point, &certainty, limit) },
    }
}

/// What could settle an unknown outcome.
fn settle(point: &Point<'_, '_>, certainty: &Certainty, limit: f64) -> String {
    if certainty.value.is_none() && certainty.bounds.is_err() {
        return NOT_REQUESTED.to_owned();
    }
    let seconds = point.rows.first().and_then(|row| row.seconds).unwrap_or(0.0);
    match certainty.bounds {
        Ok(bounds) => {
            let distance = (certainty.value.unwrap_or(limit) / limit).ln().abs();
            let too_close =
                || "the value is too close to the goal for a test of reasonable length".to_owned();
            if certainty.rows > 1 {
                let repeats = repeats_for(bounds, certainty.rows, distance, MOST_REPEATS);
                return repeats
                    .map_or_else(too_close, |count| format!("about {count} repeats could settle it"));
            }
            // The width of an interval shrinks with the square root of the time.
            let times = ((bounds.high / bounds.low).ln() / 2.0 / distance).powi(2) * 1.2;
            if times > LONGEST_WINDOW {
                return too_close();
            }
            format!("a window of about {:.0} s could settle it", (seconds * times).ceil())
        }
        Err(NoBounds::OpenModel) => {
            "one run of the open model has no interval; 3 or more repeats could settle it".into()
        }
        Err(NoBounds::Inexact) => {
            "without the module locust_matrix.py one run has no interval; 3 or more repeats could settle it"
                .into()
        }
        Err(NoBounds::OtherEndpoint) => {
            "one run has an interval for the primary endpoint only; 3 or more repeats could settle it".into()
        }
        Err(NoBounds::TooShort { needed_s }) if needed_s.is_finite() => {
            format!("a window of {:.0} s could settle it", needed_s.ceil())
        }
        Err(NoBounds::TooShort { .. } | NoBounds::TooFewSamples | NoBounds::NotSteady) => {
            "it has too few samples; a longer window could settle it".into()
        }
        Err(NoBounds::Failures) => "failed requests make the percentile uncertain".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::points::points;
    use crate::judge::tests::alone;
    use crate::record::tests::record;
    use records::{Histogram, Mode, Record};

    fn outcome(records: &[Record], objective: &Objective) -> GoalOutcome {
        let judged = alone(records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        outcome_of(&points(&rows)[0], objective)
    }

    fn p95(most: u32) -> Objective {
        Objective { p95_ms: Some(most), ..Objective::default() }
    }

    /// 40 requests/s whose time goes from 96 to 104 ms: P95 104 ms with an interval of about [97, 112].
    fn spread() -> Record {
        let mut record = record(0, 1, 20, 800);
        for (interval, ms) in record.intervals.iter_mut().zip([96, 98, 100, 102, 104]) {
            interval.primary = Histogram::of_ms([(ms, interval.requests)]);
            interval.succeeded = Some(interval.primary.clone());
        }
        record
    }

    #[test]
    fn a_goal_is_met_missed_or_unknown_by_the_interval() {
        assert_eq!(outcome(&[spread()], &p95(150)), GoalOutcome::Met);
        assert_eq!(outcome(&[spread()], &p95(80)), GoalOutcome::Missed);
        let unknown = outcome(&[spread()], &p95(108));
        assert!(
            matches!(&unknown, GoalOutcome::Unknown { settle } if settle.starts_with("a window of about")),
            "{unknown:?}"
        );
        assert_eq!(outcome(&[spread()], &Objective::default()), GoalOutcome::Met, "nothing is asked for");
    }

    #[test]
    fn throughput_has_a_goal_of_its_own_and_a_missed_one_decides() {
        let rps = |least| Objective { rps: Some(least), ..Objective::default() };
        assert_eq!(outcome(&[spread()], &rps(39.0)), GoalOutcome::Met);
        assert_eq!(outcome(&[spread()], &rps(41.0)), GoalOutcome::Missed);
        assert_eq!(outcome(&[spread()], &Objective { rps: Some(41.0), ..p95(108) }), GoalOutcome::Missed);
    }

    #[test]
    fn failed_requests_make_a_percentile_miss_every_goal() {
        let mut failing = spread();
        let counts = &mut failing.window.as_mut().unwrap().endpoints[0];
        counts.failures = 60;
        counts.succeeded = Histogram::of_ms([(1, 740)]);
        failing.objective.failures_pct = Some(10.0);
        assert_eq!(outcome(&[failing], &p95(5000)), GoalOutcome::Missed);
    }

    #[test]
    fn a_named_endpoint_has_its_own_goals() {
        let with_window = |repeat: u32, ms| {
            let mut record = record(repeat as usize, 1, 20, 800);
            record.scenario.repeat = repeat;
            let window = record.window.as_mut().unwrap();
            let histogram = Histogram::of_ms([(ms, 100)]);
            window.endpoints.push(records::Endpoint {
                method: "GET".into(),
                name: "/window".into(),
                requests: 100,
                failures: 2,
                histogram: histogram.clone(),
                succeeded: Histogram::of_ms([(ms, 98)]),
                ..window.endpoints[0].clone()
            });
            record
        };
        let goal = |goal: &str| {
            let goal: crate::config::Goal = goal.parse().unwrap();
            Objective::default().with(goal.objective().clone())
        };
        let repeats = [with_window(1, 50), with_window(2, 51), with_window(3, 52)];
        assert_eq!(outcome(&repeats, &goal("GET /window: p95<80ms")), GoalOutcome::Met);
        assert_eq!(outcome(&repeats, &goal("GET /window: p95<40ms")), GoalOutcome::Missed);
        assert_eq!(outcome(&repeats, &goal("GET /window: p99<80ms")), GoalOutcome::Missed, "2 % failed");
        assert_eq!(outcome(&repeats, &goal("GET /window: failures<3%")), GoalOutcome::Met);
        assert_eq!(outcome(&repeats, &goal("GET /window: failures<1%")), GoalOutcome::Missed);
        assert_eq!(outcome(&repeats, &goal("GET /window: rps>=4")), GoalOutcome::Met);
        let one = outcome(&repeats[..1], &goal("GET /window: p95<80ms"));
        assert!(matches!(&one, GoalOutcome::Unknown { settle } if settle.contains("repeats")), "{one:?}");
        for absent in ["GET /nowhere: failures<1%", "GET /nowhere: p95<80ms", "GET /nowhere: rps>=4"] {
            let outcome = outcome(&repeats, &goal(absent));
            assert_eq!(outcome, GoalOutcome::Unknown { settle: NOT_REQUESTED.to_owned() });
        }
    }

    #[test]
    fn one_run_of_the_open_model_is_unknown_and_repeats_settle_it() {
        let open = |repeat| {
            let mut open = record(repeat as usize, 1, 20, 800);
            (open.scenario.mode, open.scenario.rate, open.scenario.repeat) = (Mode::Open, Some(40.0), repeat);
            open.stopping_rule.as_mut().unwrap().users = None;
            open
        };
        let one = outcome(&[open(1)], &p95(150));
        assert!(
            matches!(&one, GoalOutcome::Unknown { settle } if settle.contains("3 or more repeats")),
            "{one:?}"
        );
        assert_eq!(outcome(&[open(1), open(2), open(3)], &p95(150)), GoalOutcome::Met);
    }
}
