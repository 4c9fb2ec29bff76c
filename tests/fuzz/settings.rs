//! Settings files.

use locust_matrix::config::Settings;
use locust_matrix::plan::Grid;
use proptest::prelude::*;

use crate::damage::damaged;
use crate::expect_message;
use crate::runner::fuzz;

/// Every setting, as a user writes them.
const COMPLETE: &str = "\
preset: quick
users: [20, 40, 80]
rates: [30, 60]
pool: 600
duration: 30s
warmup: 2s
max_duration: 1m
until: stable
min_duration: 8s
cooldown: 5s
repeats: 3
shuffle: true
seed: 7
drift: true
objective: {p95_ms: 500, failures_pct: 1}
think_time: 0s
spawn_rate: 20
max_users: 1000
timeouts: {master: 90s, ready: 3m, workers: 90s, ramp: 1m, stop: 150s}
inference:
  deployment: inference
  url: http://inference:8000
  readiness_path: /healthz
  primary: POST /predict
  metrics: 8000/metrics
";

fn corpus() -> Vec<String> {
    vec![
        COMPLETE.to_owned(),
        include_str!("../../e2e/tests/data/shop.matrix.yaml").to_owned(),
        "{preset: quick, users: [20], rates: [20], duration: 6s, max_duration: 30s, cooldown: 1s}".to_owned(),
        "# nothing\n".to_owned(),
    ]
}

fn check(text: &str) {
    let settings = match Settings::parse(text) {
        Ok(settings) => settings,
        Err(error) => return expect_message(&error, text),
    };
    let written = settings.to_yaml().unwrap();
    // As text, because a number may be NaN, which differs from itself.
    assert_eq!(Settings::parse(&written).unwrap().to_yaml().unwrap(), written);
    match settings.complete() {
        // Each list is short here, so that the plan is, too.
        Ok(config) => {
            let plan = Grid::of(&config);
            assert!(!plan.scenarios.is_empty());
            assert!(plan.shortest(&config) <= plan.longest(&config), "{text}");
        }
        Err(error) => expect_message(&error, text),
    }
}

#[test]
fn fuzz_settings_are_read_or_refused_with_a_message() {
    for text in corpus() {
        check(&text);
    }
    fuzz(1500, &damaged(corpus(), 5), |text| check(&text));
}

#[test]
fn fuzz_settings_of_any_values_survive_a_round_trip() {
    let numbers = || prop::collection::vec(any::<u32>(), 0..4);
    let time =
        || prop::sample::select(vec!["0s", "1ms", "250ms", "3s", "1m", "1h20m", "365d", "1000d", "-1s", "x"]);
    let rates = prop::collection::vec(any::<f64>(), 0..3);
    let strategy = (numbers(), numbers(), numbers(), rates, time(), time(), any::<u32>(), any::<f64>());
    fuzz(500, &strategy, |(replicas, workers, users, rates, duration, longest, repeats, spawn)| {
        check(&format!(
            "{{replicas: {replicas:?}, workers: {workers:?}, users: {users:?}, rates: {rates:?}, duration: {duration}, \
             max_duration: {longest}, repeats: {}, spawn_rate: {spawn:?}, max_users: 4294967295}}",
            repeats % 120
        ));
    });
}
