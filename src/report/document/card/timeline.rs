//! What was seen from second to second: users, throughput, P95 and failures.

use records::{Record, Sample};

use crate::judge::Row;
use crate::measure::window_from;
use crate::report::document::chart::{Axis, Chart, Panel, Scale, Series, Span};
use crate::report::document::{Cell, Column, Table};

/// A timeline has at most this many steps; more samples share a step.
const MOST_STEPS: usize = 60;

/// What was seen in one step.
struct Step {
    /// Its end: s since the measurement began.
    at: f64,
    users: u32,
    /// Requests per second, all endpoints.
    rps: f64,
    /// The highest P95 of the samples of the step, ms.
    p95_ms: Option<f64>,
    failed_pct: Option<f64>,
}

/// The timeline; `None` without samples.
pub(super) fn chart(at: usize, row: &Row<'_>) -> Option<Chart> {
    let record = row.record;
    let steps = steps(&record.samples);
    if steps.len() < 2 {
        return None;
    }
    let spans = spans(record);
    let series = |look: usize, name: &str, value: fn(&Step) -> Option<f64>| {
        let points = steps.iter().filter_map(|step| Some((step.at, value(step)?)));
        vec![Series::line(name, look, points)]
    };
    let panels = vec![
        Panel {
            y: Axis::of("Users", Scale::FromZero),
            series: series(3, "users", |step| Some(f64::from(step.users))),
            limit: None,
        },
        Panel {
            y: Axis::measured("Throughput", "requests/s", Scale::FromZero),
            series: series(0, "throughput", |step| Some(step.rps)),
            limit: None,
        },
        Panel {
            y: Axis::measured("P95", "ms", Scale::FromZero),
            series: series(1, "P95", |step| step.p95_ms),
            limit: None,
        },
        Panel {
            y: Axis::measured("Failed", "%", Scale::FromZero),
            series: series(4, "failed", |step| step.failed_pct),
            limit: None,
        },
    ];
    let marked: Vec<_> =
        spans.iter().map(|span| format!("{} {:.0} to {:.0} s", span.name, span.from, span.to)).collect();
    Some(Chart {
        id: format!("timeline-{}", at + 1),
        title: "Timeline".into(),
        caption: "All endpoints together; P95 is the highest within each step. Nothing is counted during ramp and warm-up.".into(),
        description: format!("{}.", marked.join(", ")),
        x: Axis::measured("Time", "s", Scale::Linear),
        panels,
        spans,
        table: table(row, &steps),
    })
}

/// The samples in at most [`MOST_STEPS`] steps.
fn steps(samples: &[Sample]) -> Vec<Step> {
    let per_step = samples.len().div_ceil(MOST_STEPS).max(1);
    let mut before = (0.0, 0, 0);
    let steps = samples.chunks(per_step).filter_map(|chunk| {
        let last = chunk.last()?;
        let (seconds, requests) = (last.at - before.0, last.requests.saturating_sub(before.1));
        let failures = last.failures.saturating_sub(before.2);
        before = (last.at, last.requests, last.failures);
        Some(Step {
            at: last.at,
            users: last.users,
            rps: if seconds > 0.0 { requests as f64 / seconds } else { 0.0 },
            p95_ms: chunk.iter().filter_map(|sample| sample.p95_us).max().map(|us| us as f64 / 1000.0),
            failed_pct: (requests > 0).then(|| 100.0 * failures as f64 / requests as f64),
        })
    });
    steps.collect()
}

/// Ramp and warm-up before the measurement; then what was not steady yet, and the window.
fn spans(record: &Record) -> Vec<Span> {
    let seconds = |phase: &str| record.seconds_in(&[phase]).unwrap_or(0.0);
    let (ramp, warmup) = (seconds("ramp"), seconds("warmup"));
    let from = record.stopping_rule.as_ref().map_or(0, |rule| window_from(rule, &record.intervals));
    // Not `sum`, which is -0.0 without intervals.
    let length = |intervals: &[records::Interval]| -> f64 {
        intervals.iter().map(|one| one.seconds).fold(0.0, |sum, one| sum + one)
    };
    let open = length(record.intervals.get(..from).unwrap_or_default());
    let end = length(&record.intervals);
    let all = [
        Span { name: "ramp", from: -ramp - warmup, to: -warmup, is_window: false },
        Span { name: "warm-up", from: -warmup, to: 0.0, is_window: false },
        Span { name: "not steady yet", from: 0.0, to: open, is_window: false },
        Span { name: "window", from: open, to: end, is_window: true },
    ];
    all.into_iter().filter(|span| span.to - span.from > 0.05).collect()
}

fn table(row: &Row<'_>, steps: &[Step]) -> Table {
    let mut table = Table::new(vec![
        Column::measured("Time", "s"),
        Column::numbers("Users"),
        Column::measured("Throughput", "requests/s"),
        Column::measured("P95", "ms"),
        Column::measured("Failed", "%"),
    ]);
    for step in steps {
        let cells = vec![
            Cell::number(Some(step.at), 1),
            Cell::Count(step.users.into()),
            Cell::number(Some(step.rps), 1),
            Cell::number(step.p95_ms, 1),
            Cell::number(step.failed_pct, 2),
        ];
        table.push([row], cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;

    fn sampled(count: u32) -> Record {
        let mut record = record(0, 1, 20, 800);
        let sample = record.samples[0];
        record.samples = (1..=count)
            .map(|at| Sample {
                at: f64::from(at),
                requests: u64::from(at) * 40,
                failures: u64::from(at),
                p95_us: Some(1000 * u64::from(at)),
                ..sample
            })
            .collect();
        record.timings_ms.extend([("ramp".to_owned(), 2000), ("warmup".to_owned(), 1000)]);
        record
    }

    #[test]
    fn many_samples_share_steps_and_keep_their_throughput_and_their_worst_p95() {
        let steps = steps(&sampled(120).samples);
        assert_eq!(steps.len(), MOST_STEPS);
        assert!(steps.iter().all(|step| (step.rps - 40.0).abs() < 1e-9));
        assert_eq!(steps[0].p95_ms, Some(2.0));
        assert_eq!(steps[0].failed_pct, Some(2.5));
    }

    #[test]
    fn the_ramp_ends_where_the_warm_up_begins_and_the_window_is_marked() {
        let records = [sampled(20)];
        let judged = alone(&records);
        let chart = chart(0, &Row::of(&judged[0])).unwrap();
        let spans: Vec<_> = chart.spans.iter().map(|span| (span.name, span.from, span.to)).collect();
        assert_eq!(spans, [("ramp", -3.0, -1.0), ("warm-up", -1.0, 0.0), ("window", 0.0, 20.0)]);
        assert_eq!(chart.table.rows.len(), 20);
    }
}
