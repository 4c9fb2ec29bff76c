//! The main job on real kind clusters, through the command that users type.
//!
//! The clusters are created one after the other, because two at once would disturb each other's figures.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod baseline;
mod builds;
mod confirm;
mod existing;
mod faults;
mod ipv6;
mod loads;
mod missing;
mod repeats;
mod rights;
mod rules;
mod silence;
mod stages;
mod stops;
mod verdicts;
mod webhook;

use std::path::Path;
use std::sync::Mutex;

use e2e::conformance::{self, Images};
use e2e::kind::{self, KeptCluster, xtask_e2e};
use e2e::leftovers::Before;
use e2e::results::{assert_all_valid, assert_exact, environment, only_run, records};
use e2e::tool::{Ended, output_of, run, timed};
use stages::Place::{Alone, Beside, Last, OnlyIfNamed};
use stages::{BUILDS, CONFORMANCE, EMPTY, Stage};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn assert_measured(ended: &Ended, run: &Path, scenarios: usize) {
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_all_valid(run, scenarios);
    for record in records(run) {
        assert_exact(&record);
    }
}

#[test]
fn the_quick_matrix_starts_and_ends_without_a_cluster() {
    let _turn = ONE_AT_A_TIME.lock();
    timed("the_quick_matrix_starts_and_ends_without_a_cluster", || {
        let before = Before::read();
        let folder = tempfile::tempdir().unwrap();
        let (matrix, results) = (folder.path().join("matrix.yaml"), folder.path().join("results"));
        // Only its times are shorter than those of the preset.
        std::fs::write(&matrix, "{preset: quick, duration: 8s, cooldown: 1s, spawn_rate: 20}").unwrap();
        let config = ["--config", matrix.to_str().unwrap()];
        let ended = run(&mut xtask_e2e("lm-test-quick", &results, &config));
        let run = only_run(&results);
        assert_measured(&ended, &run, 4);
        assert!(run.join("auto_summary.md").is_file());
        before.assert_nothing_left("lm-test-quick");
    });
}

const fn stage(name: &'static str, place: stages::Place, run: fn(&KeptCluster)) -> Stage {
    Stage { name, place, run }
}

/// The stages of the kept cluster, in their order. The last one deletes the cluster.
///
/// `E2E_STAGES=void,rights` runs those whose names contain one of these words, and the last one, with one
/// version of Locust.
const STAGES: &[Stage] = &[
    stage("undersampled", Alone, verdicts::twenty_requests_are_too_few),
    stage("loadgen-limited", Alone, verdicts::a_starved_worker_is_the_limit),
    stage("imbalanced", Alone, verdicts::a_slow_replica_is_an_imbalance),
    stage("unstable", Alone, verdicts::a_warming_stub_is_unstable_until_it_is_warm),
    stage("baseline", OnlyIfNamed, baseline::the_profile_gives_the_measured_table),
    stage("repeats", OnlyIfNamed, repeats::intervals_hold_other_runs),
    stage("confirm", OnlyIfNamed, confirm::the_answer_holds_and_one_replica_fewer_is_not_enough),
    stage("paused-node", OnlyIfNamed, faults::a_paused_node_costs_one_attempt),
    stage("rules-refused", OnlyIfNamed, rules::a_refused_job_is_told_in_the_policys_words),
    stage("ipv6", OnlyIfNamed, ipv6::a_cluster_with_ipv6_only_is_measured),
    stage("overloaded", Alone, verdicts::a_rate_that_is_not_kept_up_is_overload),
    stage("errors", Alone, verdicts::a_service_that_sheds_load_is_not_the_best),
    stage("infeasible", Alone, faults::a_replica_without_room_is_infeasible),
    stage("rights", Alone, rights::the_driver_may_do_what_its_role_says_and_no_more),
    // Each namespace takes about as long as the others. They deploy one after the other, the longest first.
    stage("embedded-build", Beside(BUILDS), builds::the_embedded_cluster_is_built_and_started),
    stage("conformance", Beside(CONFORMANCE), the_cluster_passes_all_checks),
    stage("existing", Beside(EMPTY), existing::a_run_leaves_the_namespace_as_it_was),
    stage("missing-images", Beside(EMPTY), missing::an_image_that_cannot_be_pulled_is_named),
    stage("taken", Beside(EMPTY), missing::a_name_or_port_that_is_taken_is_named),
    stage("permissions", Beside(EMPTY), rights::each_missing_permission_is_named),
    stage("lost-master", Beside("team-e"), faults::a_deleted_master_costs_one_attempt),
    stage("lost-worker", Beside("team-e"), faults::a_killed_worker_costs_one_attempt),
    stage("shop", Beside("team-d"), loads::another_service_is_measured_from_outside),
    stage("two-jobs", Beside("team-d"), stops::of_two_jobs_one_measures_its_own_matrix),
    stage("killed", Beside("team-d"), stops::a_killed_driver_is_resumed),
    stage("silent-api", Beside("team-a"), stops::a_silent_api_server_ends_the_run),
    stage("crashing", Beside("team-b"), faults::a_crashing_replica_is_a_failure),
    stage("foreign-worker", Beside("team-b"), faults::a_foreign_worker_is_refused),
    stage("unconnected", Beside("team-b"), faults::workers_that_do_not_connect_end_the_run),
    stage("missing-master", Beside("team-b"), faults::a_missing_master_ends_the_run),
    stage("failures", Beside("team-b"), loads::failures_are_counted),
    stage("failed", Beside("team-g"), verdicts::a_dead_service_has_no_figures),
    stage("void", Beside("team-g"), verdicts::a_killed_replica_voids_the_first_attempt),
    stage("rules-sidecar", Beside("team-g"), rules::an_injected_container_does_not_keep_the_job_from_ending),
    stage("rules-quota", Beside("team-g"), rules::a_quota_is_told_in_the_servers_words),
    stage("rules-limits", Beside("team-g"), rules::limits_of_the_namespace_are_recorded),
    stage("rules-kubectl", Beside("team-g"), rules::kubectl_alone_runs_the_matrix_in_a_namespace_with_rules),
    stage("interrupted", Last, stops::an_interrupted_run_keeps_its_records),
];

#[test]
fn all_stages_pass_on_a_kept_cluster() {
    let _turn = ONE_AT_A_TIME.lock();
    timed("all_stages_pass_on_a_kept_cluster", || {
        let before = Before::read();
        let folder = tempfile::tempdir().unwrap();
        let mut kept = KeptCluster::new("lm-test-kept", folder.path());
        both_versions_step_down_on_every_axis(&mut kept);
        stages::run_stages(&kept, STAGES);
        before.assert_nothing_left(&kept.name);
    });
}

/// Real Kubernetes passes the checks that the embedded cluster must pass.
fn the_cluster_passes_all_checks(cluster: &KeptCluster) {
    let images = Images { stub: cluster.stub_image.clone(), driver: cluster.driver_image.clone() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(conformance::check(&cluster.kubeconfig(), &images));
}

/// The matrix scales down on every axis, with both versions of Locust's web API.
fn both_versions_step_down_on_every_axis(cluster: &mut KeptCluster) {
    let down = cluster.settings(kind::DOWN);
    let chosen = std::env::var("E2E_STAGES").is_ok();
    // With the second version, the number of users does not change: that saves time, and the rest of the web
    // API is the same.
    let versions = [("2.46.6", "20,10", 8), ("2.47.0", "20", 4)];
    for (version, users, scenarios) in versions.into_iter().skip(usize::from(chosen)) {
        let results = cluster.folder.join(version);
        let locust = format!("locustio/locust:{version}");
        let arguments = ["--keep", "--config", &down, "--users", users, "--locust-image", &locust];
        let ended = run(&mut xtask_e2e(&cluster.name, &results, &arguments));
        let run = only_run(&results);
        assert_measured(&ended, &run, scenarios);
        let generator = format!("Locust {version}");
        assert!(records(&run).iter().all(|record| environment(record, "generator") == generator));
        cluster.note_images(&ended.err);
    }
    let replicas = ["get", "deployment", "-o", "jsonpath={.items[*].spec.replicas}"];
    let found = output_of(&mut cluster.kubectl(&replicas));
    assert_eq!(found, "1 1 2", "replicas of inference, master and workers as they were deployed");
}
