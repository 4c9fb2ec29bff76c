//! The settings into their ConfigMap, the Job into the cluster.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::Arguments;
use crate::cluster::{Cluster, FIELD_MANAGER, JOB, explain};
use crate::config::Settings;
use crate::deploy::{Image, job};
use crate::exit::{Error, ExitCode, Result};
use crate::wait::{Look, poll};

/// The ConfigMap that the Job reads its settings from.
const CONFIG_MAP: &str = "locust-matrix-config";

/// A Job that was submitted.
#[derive(Debug)]
pub(super) struct Submitted {
    /// Its UID, which is the run's id.
    pub uid: String,
}

impl Submitted {
    /// Selects its pods.
    pub(super) fn selector(&self) -> String {
        format!("batch.kubernetes.io/controller-uid={}", self.uid)
    }
}

/// Submits the Job; one of the same name that has ended is replaced.
pub(super) async fn submit(
    cluster: &Cluster,
    settings: &Settings,
    arguments: &Arguments,
) -> Result<Submitted> {
    make_room(cluster).await?;
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": CONFIG_MAP, "labels": { "app": "locust" } },
        "data": { "config.yaml": settings.to_yaml()? },
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = cluster.api::<ConfigMap>().patch(CONFIG_MAP, &params, &Patch::Apply(&map)).await;
    applied
        .map_err(|error| explain(&format!("apply ConfigMap {}/{CONFIG_MAP}", cluster.namespace), &error))?;

    let manifest = manifest(arguments)?;
    let ours = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let created = cluster.api::<Job>().create(&ours, &manifest).await;
    let created =
        created.map_err(|error| explain(&format!("create Job {}/{JOB}", cluster.namespace), &error))?;
    Ok(Submitted { uid: created.metadata.uid.unwrap_or_default() })
}

/// The Job of the manifests with this image and cluster kind.
fn manifest(arguments: &Arguments) -> Result<Job> {
    let bug = |problem: String| Error::new(ExitCode::Bug, format!("manifest of the Job: {problem}"));
    let image: Image = format!("locust-driver={}", arguments.driver_image).parse().map_err(Error::usage)?;
    let mut manifest = job(&[image])?;
    let environment =
        manifest.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut);
    environment
        .ok_or_else(|| bug("its container has no environment".into()))?
        .push(json!({ "name": "LOCUST_MATRIX_CLUSTER_KIND", "value": arguments.cluster_kind }));
    serde_json::from_value(manifest).map_err(|error| bug(error.to_string()))
}

/// Deletes a Job of an earlier run; refuses where it still runs.
async fn make_room(cluster: &Cluster) -> Result<()> {
    let what = format!("Job {}/{JOB}", cluster.namespace);
    let jobs = cluster.api::<Job>();
    let Some(found) = jobs.get_opt(JOB).await.map_err(|error| explain(&what, &error))? else {
        return Ok(());
    };
    let suspended = found.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false);
    if !has_ended(&found) && !suspended {
        return Err(Error::preflight(format!("{what} is running"))
            .next(format!("wait for it, or end it with: kubectl delete job {JOB}")));
    }
    jobs.delete(JOB, &DeleteParams::background()).await.map_err(|error| explain(&what, &error))?;
    let gone = poll(Duration::from_secs(30), Duration::from_millis(200), || async {
        match jobs.get_opt(JOB).await {
            Ok(None) => Look::Done(()),
            Ok(Some(_)) => Look::NotYet("it is still there".into()),
            Err(error) => Look::NotYet(error.to_string()),
        }
    });
    gone.await
        .map_err(|timed_out| Error::cluster(format!("{what} of an earlier run was not deleted {timed_out}")))
}

/// Whether a Job is complete or failed.
pub(super) fn has_ended(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")
}
