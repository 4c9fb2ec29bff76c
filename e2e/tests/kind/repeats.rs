//! Intervals of real runs hold what other runs of the same load give.

use std::path::Path;

use e2e::results::{attempts, only_run};
use e2e::tool::{run, say};
use locust_matrix::judge::{Certainty, JudgedRun, Row, certainty_of_row};
use locust_matrix::measure::percentile_over_repeats;
use records::Record;

use e2e::kind::KeptCluster;

const P95: f64 = 0.95;

/// With one replica, the interval of each run must hold the median of the others, in seven of eight runs. With two,
/// where connections fall on replicas at random, the interval over five repeats must hold the mean of the other five.
pub(crate) fn intervals_hold_other_runs(cluster: &KeptCluster) {
    let one = cluster
        .settings("{replicas: [1], workers: [2], users: [36], repeats: 8, duration: 20s, cooldown: 1s}");
    let records = measured(cluster, &one, "repeats-1");
    let found = figures(&records);
    let values = values(&found);
    assert_eq!(values.len(), 8, "every run has a P95: {values:?}");
    let mut held = 0;
    for (at, Certainty { bounds, .. }) in found.iter().enumerate() {
        let others = values.iter().enumerate().filter(|(other, _)| *other != at);
        let others = median(others.map(|(_, value)| *value));
        let holds = bounds.is_ok_and(|bounds| (bounds.low..=bounds.high).contains(&others));
        held += usize::from(holds);
        say(&format!("run {at}: P95 {:.0} µs, {bounds:?}, others {others:.0} µs: {holds}", values[at]));
    }
    let two = cluster
        .settings("{replicas: [2], workers: [2], users: [40], repeats: 10, duration: 20s, cooldown: 1s}");
    let records = measured(cluster, &two, "repeats-2");
    let values = self::values(&figures(&records));
    assert_eq!(values.len(), 10, "every run has a P95: {values:?}");
    let (first, last) = values.split_at(5);
    let holds = |interval: &[f64], others: &[f64]| {
        let bounds = percentile_over_repeats(interval).unwrap();
        let mean = (others.iter().map(|value| value.ln()).sum::<f64>() / others.len() as f64).exp();
        say(&format!("P95 of {interval:.0?} µs: {bounds:?}, the other five {mean:.0} µs"));
        (bounds.low..=bounds.high).contains(&mean)
    };
    let (forward, back) = (holds(first, last), holds(last, first));
    assert!(held >= 7, "{held} of 8 intervals hold the median of the other runs");
    assert!(forward && back, "the interval over five repeats holds the mean of the other five");
}

fn measured(cluster: &KeptCluster, settings: &str, folder: &str) -> Vec<Record> {
    let results = cluster.folder.join(folder);
    let ended = run(&mut cluster.driver_run(settings, &results));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    read(&only_run(&results))
}

fn read(run: &Path) -> Vec<Record> {
    attempts(run).into_iter().map(|record| serde_json::from_value(record).unwrap()).collect()
}

/// P95 of each row, µs, with the interval of that run.
fn figures(records: &[Record]) -> Vec<Certainty> {
    JudgedRun::of(records).rows.iter().map(|judged| certainty_of_row(&Row::of(judged), P95)).collect()
}

fn values(figures: &[Certainty]) -> Vec<f64> {
    figures.iter().filter_map(|certainty| certainty.value).collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
