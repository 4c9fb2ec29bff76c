//! Creates the driver's Job, and the ConfigMap with its settings.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, FIELD_MANAGER, explain};
use crate::config::Settings;
use crate::deploy::{Image, job};
use crate::events::JSON_EVENTS_VARIABLE;
use crate::exit::{Error, ExitCode, Result};
use crate::objects::{JOB, JOB_SETTINGS, LOAD_APP};
use crate::wait::{Condition, poll, silent};

/// How long the Job of an earlier run may take to disappear after its deletion.
const DELETED_WITHIN: Duration = Duration::from_secs(30);

/// A Job that was created in the cluster.
#[derive(Debug)]
pub(super) struct SubmittedJob {
    /// The Job's UID, which is also the run's id.
    pub uid: String,
}

impl SubmittedJob {
    /// The label selector of the Job's pods.
    pub(super) fn selector(&self) -> String {
        format!("batch.kubernetes.io/controller-uid={}", self.uid)
    }
}

/// Creates the Job with these settings. A Job of the same name that has ended is deleted first.
pub(super) async fn submit(
    cluster: &Cluster,
    settings: &Settings,
    driver_image: &str,
    cluster_kind: &str,
    json_events: bool,
) -> Result<SubmittedJob> {
    delete_ended_job(cluster).await?;
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": JOB_SETTINGS, "labels": { "app": LOAD_APP } },
        "data": { "config.yaml": settings.to_yaml()? },
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = cluster.api::<ConfigMap>().patch(JOB_SETTINGS, &params, &Patch::Apply(&map)).await;
    applied
        .map_err(|error| explain(&format!("apply ConfigMap {}/{JOB_SETTINGS}", cluster.namespace), &error))?;

    let manifest = manifest(driver_image, cluster_kind, json_events)?;
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let created = cluster.api::<Job>().create(&params, &manifest).await;
    let created =
        created.map_err(|error| explain(&format!("create Job {}/{JOB}", cluster.namespace), &error))?;
    Ok(SubmittedJob { uid: created.metadata.uid.unwrap_or_default() })
}

/// The Job of the manifests with this image and these settings.
fn manifest(driver_image: &str, cluster_kind: &str, json_events: bool) -> Result<Job> {
    let bug = |problem: String| Error::new(ExitCode::Bug, format!("manifest of the Job: {problem}"));
    let image: Image = format!("locust-driver={driver_image}").parse().map_err(Error::usage)?;
    let mut manifest = job(&[image])?;
    let environment =
        manifest.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut);
    let environment = environment.ok_or_else(|| bug("its container has no environment".into()))?;
    environment.push(json!({ "name": "LOCUST_MATRIX_CLUSTER_KIND", "value": cluster_kind }));
    if json_events {
        environment.push(json!({ "name": JSON_EVENTS_VARIABLE, "value": "true" }));
    }
    serde_json::from_value(manifest).map_err(|error| bug(error.to_string()))
}

/// Deletes the Job of an earlier run; refuses if it is still running.
async fn delete_ended_job(cluster: &Cluster) -> Result<()> {
    let subject = format!("Job {}/{JOB}", cluster.namespace);
    let jobs = cluster.api::<Job>();
    let Some(job) = jobs.get_opt(JOB).await.map_err(|error| explain(&subject, &error))? else {
        return Ok(());
    };
    let suspended = job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false);
    if !has_ended(&job) && !suspended {
        return Err(Error::preflight(format!("{subject} is running"))
            .next(format!("wait for it, or end it with: kubectl delete job {JOB}")));
    }
    jobs.delete(JOB, &DeleteParams::background()).await.map_err(|error| explain(&subject, &error))?;
    let deleted = poll(DELETED_WITHIN, Duration::from_millis(200), &silent, || async {
        match jobs.get_opt(JOB).await {
            Ok(None) => Condition::Met(()),
            Ok(Some(_)) => Condition::NotMet("the Job still exists".into()),
            Err(error) => Condition::NotMet(error.to_string()),
        }
    });
    deleted.await.map_err(|timed_out| {
        Error::cluster(format!("{subject} of an earlier run is not deleted {timed_out}"))
    })
}

/// Whether a Job is complete or failed.
pub(super) fn has_ended(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_prints_json_only_if_the_user_asks_for_it() {
        for json_events in [false, true] {
            let job = manifest("locust-driver:1", "kind", json_events).unwrap();
            let container = &job.spec.unwrap().template.spec.unwrap().containers[0];
            let value = |name: &str| {
                let variable = container.env.iter().flatten().find(|variable| variable.name == name)?;
                variable.value.clone()
            };
            assert_eq!(value("LOCUST_MATRIX_CLUSTER_KIND").as_deref(), Some("kind"));
            assert_eq!(value(JSON_EVENTS_VARIABLE).as_deref(), json_events.then_some("true"));
        }
    }
}
