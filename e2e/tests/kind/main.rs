//! The main job on real kind clusters, through the command that users type.
//!
//! The clusters are made one after the other: two at once would measure each other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod baseline;
mod existing;
mod kept;
mod loads;
mod missing;
mod rights;
mod stops;
mod verdicts;
mod wrong;

use std::path::Path;
use std::sync::Mutex;

use e2e::conformance::{self, Images};
use e2e::leftovers::Before;
use e2e::results::{assert_all_valid, assert_exact, only_run, records};
use e2e::tool::{Ended, must, run};
use kept::{Kept, e2e, settings};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A matrix with a step down on every axis, each scenario a few seconds long; longer where the machine has
/// disturbed those.
const DOWN: &str = "\
replicas: [2, 1]
workers: [2, 1]
users: [20, 10]
duration: 4s
max_duration: 30s
warmup: 0s
cooldown: 1s
spawn_rate: 20
";

fn assert_measured(ended: &Ended, run: &Path, scenarios: usize) {
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_all_valid(run, scenarios);
    for record in records(run) {
        assert_exact(&record);
    }
}

#[test]
fn the_quick_matrix_from_nothing_to_nothing() {
    let _turn = ONE_AT_A_TIME.lock();
    let before = Before::look();
    let results = tempfile::tempdir().unwrap();
    let ended = run(&mut e2e("lm-test-quick", results.path(), &[]));
    let run = only_run(results.path());
    assert_measured(&ended, &run, 4);
    assert!(run.join("auto_summary.md").is_file());
    before.assert_nothing_left("lm-test-quick");
}

type Stage = fn(&Kept<'_>);

/// What takes minutes and is tried only when it is named.
const LONG: &[&str] = &["baseline"];

/// What is tried on the kept cluster, in this order; the last one deletes it. `E2E_STAGES=void,rights` tries
/// only those whose names contain one of these words, and the last, on one version of Locust.
const STAGES: &[(&str, Stage)] = &[
    ("conformance", it_is_the_cluster_that_all_checks_describe),
    ("failures", loads::failures_are_counted),
    ("shop", loads::another_service_is_swept_from_outside),
    ("undersampled", verdicts::twenty_requests_are_too_few),
    ("void", verdicts::a_killed_replica_voids_the_first_try),
    ("loadgen-limited", verdicts::a_starved_worker_is_the_limit),
    ("imbalanced", verdicts::a_slow_replica_is_an_imbalance),
    ("unstable", verdicts::a_warming_stub_is_unstable_until_it_is_warm),
    ("failed", verdicts::a_dead_service_has_no_figures),
    ("baseline", baseline::the_profile_has_the_measured_table),
    ("existing", existing::a_namespace_of_a_cluster_that_is_there),
    ("wrong-turns", wrong::turns_end_with_their_codes),
    ("missing", missing::images_and_names_are_said),
    ("rights", rights::are_those_of_the_role_and_no_other),
    ("permissions", rights::a_missing_one_is_named),
    ("silent-api", stops::a_silent_api_server_ends_the_run),
    ("killed", stops::a_killed_driver_is_resumed),
    ("interrupted", stops::an_interrupted_run_keeps_its_records),
];

/// One kept cluster for all that follows each other on it.
#[test]
fn a_kept_cluster_goes_through_everything() {
    let _turn = ONE_AT_A_TIME.lock();
    let before = Before::look();
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::new("lm-test-kept", folder.path());
    both_versions_step_down_on_every_axis(&mut kept);
    let chosen = std::env::var("E2E_STAGES").unwrap_or_default();
    let is_named = |name: &str| chosen.split(',').any(|word| !word.is_empty() && name.contains(word));
    for (at, (name, stage)) in STAGES.iter().enumerate() {
        if chosen.is_empty() && LONG.contains(name) {
            eprintln!("stage {name} ... left out: it takes minutes, E2E_STAGES={name} tries it");
        } else if chosen.is_empty() || is_named(name) || at + 1 == STAGES.len() {
            let begun = std::time::Instant::now();
            eprintln!("stage {name} …");
            stage(&kept);
            eprintln!("stage {name} ... ok ({:.0} s)", begun.elapsed().as_secs_f64());
        }
    }
    before.assert_nothing_left(kept.name);
}

/// What this project asks of a cluster holds for Kubernetes: then it may be asked of another one.
fn it_is_the_cluster_that_all_checks_describe(kept: &Kept<'_>) {
    let images = Images { stub: kept.stub_image.clone(), driver: kept.driver_image.clone() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(conformance::check(&kept.kubeconfig(), &images));
}

/// A scale-down on every axis, on both versions of Locust's web API.
fn both_versions_step_down_on_every_axis(kept: &mut Kept<'_>) {
    let down = settings(kept.folder, DOWN);
    let chosen = std::env::var("E2E_STAGES").is_ok();
    // The users of the second version do not change: less is left to differ, and half of the time.
    let versions = [("2.46.6", "20,10", 8), ("2.47.0", "20", 4)];
    for (version, users, scenarios) in versions.into_iter().skip(usize::from(chosen)) {
        let results = kept.folder.join(version);
        let locust = format!("locustio/locust:{version}");
        let arguments = ["--keep", "--config", &down, "--users", users, "--locust-image", &locust];
        let ended = run(&mut e2e(kept.name, &results, &arguments));
        let run = only_run(&results);
        assert_measured(&ended, &run, scenarios);
        let generator = format!("Locust {version}");
        assert!(records(&run).iter().all(|record| record["setting"]["generator"] == generator.as_str()));
        let image = |name: &str| ended.err.split_whitespace().find(|word| word.starts_with(name)).unwrap();
        image("locust-driver:").clone_into(&mut kept.driver_image);
        image("fake-inference:").clone_into(&mut kept.stub_image);
    }
    let replicas = ["get", "deployment", "-o", "jsonpath={.items[*].spec.replicas}"];
    let found = must(&mut kept.kubectl(&replicas));
    assert_eq!(found, "1 1 2", "inference, master, workers as they were deployed");
}
