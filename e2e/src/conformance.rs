//! The behaviour of Kubernetes that this project depends on. Every kind of cluster must pass the same checks.
//!
//! Each check has its own namespace and uses only the Kubernetes API. All checks run side by side.

#![expect(clippy::expect_used, clippy::panic, reason = "a check that cannot continue has failed")]

mod objects;
mod pods;
mod rights;
mod sandbox;
mod workloads;

use std::path::Path;

use futures::future::{BoxFuture, FutureExt, join_all};
pub use sandbox::Images;
use sandbox::Sandbox;

use crate::tool::say;

type Check = fn(Sandbox) -> BoxFuture<'static, ()>;

macro_rules! checks {
    ($($module:ident::$name:ident),+ $(,)?) => {
        &[$((stringify!($name), |sandbox| $module::$name(sandbox).boxed())),+]
    };
}

const CHECKS: &[(&str, Check)] = checks![
    objects::applying_again_changes_nothing,
    objects::two_managers_of_a_field_conflict,
    objects::a_field_that_its_manager_omits_is_removed,
    objects::an_object_that_changed_meanwhile_is_not_overwritten,
    objects::selectors_filter_lists,
    objects::a_watch_resumes_where_it_was_cut,
    objects::invalid_objects_are_refused_with_the_field,
    workloads::replicas_follow_the_scale,
    workloads::a_new_template_rolls_out,
    workloads::deletion_removes_owned_objects,
    workloads::orphaned_objects_remain,
    workloads::a_job_succeeds,
    workloads::a_job_fails_by_its_policy,
    workloads::a_job_fails_after_its_retries,
    pods::an_unready_pod_gets_no_traffic,
    pods::a_crashing_container_backs_off,
    pods::a_pod_without_its_image_waits,
    pods::a_pod_without_room_is_not_scheduled,
    pods::logs_are_read_and_followed,
    pods::configuration_reaches_the_pod,
    rights::without_a_role_nothing_is_allowed,
    rights::a_role_allows_only_what_it_names,
];

/// Runs every check against the cluster of `kubeconfig`, and prints the name of each check that passes.
///
/// # Panics
/// With the names of the checks that failed.
pub async fn check(kubeconfig: &Path, images: &Images) {
    let running = CHECKS.iter().map(|(name, check)| async move {
        let sandbox = Sandbox::create(kubeconfig, images, name).await;
        let namespace = sandbox.clone();
        let ended = tokio::spawn(check(sandbox)).await;
        if ended.is_ok() {
            say(&format!("conformance: {name} ... ok"));
        } else {
            namespace.print_pods_and_events().await;
        }
        namespace.delete().await;
        ended.is_err().then_some(*name)
    });
    let failed: Vec<&str> = join_all(running).await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "these checks failed: {failed:?}");
    say(&format!("conformance: {} checks passed", CHECKS.len()));
}
