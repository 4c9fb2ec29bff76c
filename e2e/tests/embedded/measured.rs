//! The tests that measure. `cargo xtask test` runs them when nothing else uses the machine.

use e2e::embedded::xtask_e2e;
use e2e::required;
use e2e::results::{
    Span, assert_all_valid, assert_exact, counts, environment, only_record, only_run, open_rows, records,
    replica_count,
};
use e2e::tool::run;

use crate::cluster::{self, Cluster};
use crate::{alone, figures};

#[test]
fn the_quick_matrix_runs_without_docker() {
    let _turn = alone("the_quick_matrix_runs_without_docker");
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    // The replicas of `quick` under both models, measured for a shorter time; the kind tier runs all of `quick`.
    let matrix = folder.path().join("matrix.yaml");
    std::fs::write(&matrix, "{preset: quick, users: [20], rates: [20], duration: 6s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}")
        .unwrap();
    let ended = run(&mut xtask_e2e("lm-test-embedded", &results, &["--config", matrix.to_str().unwrap()]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let first = ended.err.lines().next().unwrap();
    assert!(first.starts_with("cluster: embedded, because"), "{first}");
    let run = only_run(&results);
    assert_all_valid(&run, 4);
    for record in records(&run) {
        assert_exact(&record);
        assert_eq!(environment(&record, "cluster"), "embedded");
    }
    assert_eq!(open_rows(&run).len(), 2, "the open model has its own table");
    assert!(ended.err.contains("auto_summary_open.csv"), "the path of the table is printed: {}", ended.err);
    let report = std::fs::read_to_string(run.join("auto_summary.md")).unwrap();
    assert!(report.contains("| Cluster | embedded |"), "{report}");
    cluster::assert_nothing_runs("lm-test-embedded");
}

#[test]
fn medians_are_those_of_the_raw_samples() {
    let _turn = alone("medians_are_those_of_the_raw_samples");
    // The workers must be able to write here. They cannot write below /tmp: their pods have a volume in its place.
    let folder = tempfile::tempdir_in(required("E2E_TARGET")).unwrap();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(figures::medians_are_those_of_the_raw_samples(&cluster, folder.path()));
    cluster.end();
}

#[test]
fn a_service_that_sheds_load_is_not_the_best() {
    let _turn = alone("a_service_that_sheds_load_is_not_the_best");
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(figures::a_service_that_sheds_load_is_not_the_best(&cluster, folder.path()));
    cluster.end();
}

/// 60 requests/s are more than one replica can serve, which is 40. The row is not cited, and the
/// objective is missed.
#[test]
fn a_rate_that_is_not_kept_up_is_overload() {
    let _turn = alone("a_rate_that_is_not_kept_up_is_overload");
    let results = tempfile::tempdir().unwrap();
    let matrix = results.path().join("matrix.yaml");
    let text = "{replicas: [1], workers: [2], rates: [60], duration: 20s, max_duration: 20s, cooldown: 0s, objective: {p95_ms: 8000}}";
    std::fs::write(&matrix, text).unwrap();
    let matrix = matrix.to_str().unwrap();
    let ended = run(&mut xtask_e2e("lm-test-embedded", &results.path().join("runs"), &["--config", matrix]));
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    let folder = only_run(&results.path().join("runs"));
    let status = open_rows(&folder)[0].last().unwrap().clone();
    // On a busy machine the generator is late, and LOADGEN_LIMITED outranks OVERLOADED. The report names both.
    assert!(["OVERLOADED", "LOADGEN_LIMITED"].contains(&status.as_str()), "{status}");
    let report = std::fs::read_to_string(folder.join("auto_summary.md")).unwrap();
    assert!(report.contains("requests under way grow by"), "{report}");
    assert!(!report.contains("meet the objective.") && !report.contains("meets the objective."), "{report}");
}

/// The largest matrix that the embedded cluster is made for. On two cores the machine limits the figures, but
/// every request is counted.
#[test]
fn eight_replicas_eight_workers_and_800_users_run() {
    let _turn = alone("eight_replicas_eight_workers_and_800_users_run");
    let results = tempfile::tempdir().unwrap();
    let matrix = results.path().join("matrix.yaml");
    let text = "{replicas: [8], workers: [8], users: [800], duration: 10s, cooldown: 0s, spawn_rate: 200}";
    std::fs::write(&matrix, text).unwrap();
    let matrix = matrix.to_str().unwrap();
    let ended = run(&mut xtask_e2e("lm-test-embedded", &results.path().join("runs"), &["--config", matrix]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let record = only_record(&only_run(&results.path().join("runs")));
    assert!(counts(&record, Span::Window).unwrap().requests > 0, "{record}");
    assert_eq!(replica_count(&record), 8);
    cluster::assert_nothing_runs("lm-test-embedded");
}
