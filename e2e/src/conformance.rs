//! What the harness asks of a cluster: the same assertions for every kind of cluster it runs on.
//!
//! Each check has a namespace of its own, and all of them run side by side, through the API alone.

#![expect(clippy::expect_used, clippy::panic, reason = "a check that cannot go on has failed")]

mod objects;
mod pods;
mod rights;
mod stage;
mod workloads;

use std::path::Path;

use futures::future::{BoxFuture, FutureExt, join_all};
pub use stage::Images;
use stage::Stage;

type Check = fn(Stage) -> BoxFuture<'static, ()>;

macro_rules! checks {
    ($($module:ident::$name:ident),+ $(,)?) => {
        &[$((stringify!($name), |stage| $module::$name(stage).boxed())),+]
    };
}

const CHECKS: &[(&str, Check)] = checks![
    objects::applying_again_changes_nothing,
    objects::two_managers_of_a_field_conflict,
    objects::a_field_that_its_manager_drops_goes,
    objects::what_was_changed_meanwhile_is_not_overwritten,
    objects::selectors_choose,
    objects::a_watch_goes_on_where_it_was_cut,
    objects::wrong_objects_are_refused_by_field,
    workloads::replicas_follow_the_scale,
    workloads::a_new_template_rolls_out,
    workloads::deleting_takes_what_it_owns,
    workloads::orphans_stay,
    workloads::a_job_succeeds,
    workloads::a_job_fails_by_its_policy,
    workloads::a_job_fails_after_its_retries,
    pods::an_unready_pod_gets_no_traffic,
    pods::a_crashing_container_backs_off,
    pods::an_image_that_is_nowhere_waits,
    pods::a_pod_that_does_not_fit_is_not_placed,
    pods::logs_are_read_and_followed,
    pods::settings_reach_the_pod,
    rights::without_a_role_nothing_is_allowed,
    rights::a_role_allows_what_it_names,
];

/// Runs every check against the cluster of `kubeconfig`; each says its name when it has passed.
///
/// # Panics
/// With the names of the checks that failed.
pub async fn check(kubeconfig: &Path, images: &Images) {
    let running = CHECKS.iter().map(|(name, check)| async move {
        let stage = Stage::set(kubeconfig, images, name).await;
        let namespace = stage.clone();
        let ended = tokio::spawn(check(stage)).await;
        if ended.is_ok() {
            eprintln!("conformance: {name} ... ok");
        } else {
            namespace.tell().await;
        }
        namespace.clear().await;
        ended.is_err().then_some(*name)
    });
    let failed: Vec<&str> = join_all(running).await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "these checks failed: {failed:?}");
    eprintln!("conformance: {} checks passed", CHECKS.len());
}
