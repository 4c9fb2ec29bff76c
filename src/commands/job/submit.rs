//! Creates the driver's Job, with settings of its own.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, PostParams, Preconditions};
use serde_json::{Value, json};

use super::settings::{adopt, create_settings, delete_settings};
use super::template;
use crate::cluster::{Cluster, FIELD_MANAGER, explain};
use crate::config::{JobSettings, Settings};
use crate::deploy::{Image, job};
use crate::events::{Events, JSON_EVENTS_VARIABLE, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::objects::{JOB, JOB_SETTINGS};
use crate::wait::{Condition, poll, silent};

/// How long the Job of an earlier run may take to disappear after its deletion.
const DELETED_WITHIN: Duration = Duration::from_secs(30);

/// A Job that was created in the cluster.
#[derive(Debug)]
pub(super) struct SubmittedJob {
    /// The Job's UID, which is also the run's id.
    pub uid: String,
}

/// What a submission says about the driver beside its settings.
#[derive(Clone, Debug)]
pub(super) struct Driver<'a> {
    pub image: &'a str,
    pub cluster_kind: &'a str,
    pub json_events: bool,
    /// How long its pod may take to stop.
    pub stops_within: Duration,
}

impl SubmittedJob {
    /// The label selector of the Job's pods.
    pub(super) fn selector(&self) -> String {
        format!("batch.kubernetes.io/controller-uid={}", self.uid)
    }
}

/// Creates the Job with these settings. A Job of the same name that has ended is deleted first.
///
/// All Jobs have the same name, so the API server decides which of two submissions wins. Each submission writes
/// its settings to a ConfigMap with a name of its own, and the Job names that one: the loser cannot change what
/// the winner measures.
///
/// # Errors
/// Exit code 3: another Job is running, or a permission is missing; 4: the API server failed.
pub(super) async fn submit(
    cluster: &Cluster,
    settings: &Settings,
    driver: &Driver<'_>,
    events: &Events,
) -> Result<SubmittedJob> {
    delete_ended_job(cluster).await?;
    let map = create_settings(cluster, settings).await?;
    let uid = create_job(cluster, driver, &settings.job, &map).await?;
    if let Err(error) = adopt(cluster, &map, &uid).await {
        // The Job runs with its settings. Only their deletion with the Job is not arranged.
        events
            .tell(Progress::note(format!("{error}\n  the ConfigMap {map} remains when the Job is deleted")));
    }
    Ok(SubmittedJob { uid })
}

/// Creates the Job and returns its UID. If it is not created, its settings are deleted.
async fn create_job(
    cluster: &Cluster,
    driver: &Driver<'_>,
    job_settings: &JobSettings,
    map: &str,
) -> Result<String> {
    let manifest = manifest(driver, job_settings, map)?;
    let jobs = cluster.api::<Job>();
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let error = match jobs.create(&params, &manifest).await {
        Ok(job) => return Ok(job.metadata.uid.unwrap_or_default()),
        Err(error) => error,
    };
    let explained = explain(&format!("create Job {}/{JOB}", cluster.namespace), &error);
    // If it cannot be read, it may exist, and then it needs its settings.
    let Ok(existing) = jobs.get_opt(JOB).await else { return Err(explained) };
    if let Some(job) = existing.as_ref().filter(|job| mounts(job, map)) {
        // The Job was created, and only the answer was lost.
        return Ok(job.metadata.uid.clone().unwrap_or_default());
    }
    // An error of this deletion would hide the one that matters.
    let _ = delete_settings(cluster, map).await;
    match error {
        kube::Error::Api(status) if status.code == 409 => Err(is_running(cluster, existing.as_ref())),
        _ => Err(explained),
    }
}

/// Whether the Job's pods read the settings of this ConfigMap.
fn mounts(job: &Job, map: &str) -> bool {
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let mut volumes = pod.and_then(|pod| pod.volumes.as_ref()).into_iter().flatten();
    volumes.any(|volume| volume.config_map.as_ref().is_some_and(|source| source.name == map))
}

/// The Job of the manifests with this image and the settings of the ConfigMap `map`.
fn manifest(driver: &Driver<'_>, settings: &JobSettings, map: &str) -> Result<Job> {
    let bug = |problem: &str| Error::new(ExitCode::Bug, format!("manifest of the Job: {problem}"));
    let image: Image = format!("locust-driver={}", driver.image).parse().map_err(Error::usage)?;
    let mut manifest = job(&[image])?;
    let template = manifest.pointer_mut("/spec/template").ok_or_else(|| bug("it has no pod template"))?;
    template::apply(settings, template);
    let pod = &mut template["spec"];
    pod["terminationGracePeriodSeconds"] = driver.stops_within.as_secs().into();
    let mut volumes = pod["volumes"].as_array_mut().into_iter().flatten();
    let settings = volumes.find(|volume| volume["configMap"]["name"] == JOB_SETTINGS);
    settings.ok_or_else(|| bug("no volume has its settings"))?["configMap"]["name"] = map.into();
    let environment = pod.pointer_mut("/containers/0/env").and_then(Value::as_array_mut);
    let environment = environment.ok_or_else(|| bug("its container has no environment"))?;
    environment.push(json!({ "name": "LOCUST_MATRIX_CLUSTER_KIND", "value": driver.cluster_kind }));
    if driver.json_events {
        environment.push(json!({ "name": JSON_EVENTS_VARIABLE, "value": "true" }));
    }
    serde_json::from_value(manifest).map_err(|error| bug(&error.to_string()))
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
        return Err(is_running(cluster, Some(&job)));
    }
    // Another submission may have replaced or resumed the Job since it was read. That Job must not be deleted.
    let same =
        Preconditions { uid: job.metadata.uid.clone(), resource_version: job.metadata.resource_version };
    let params = DeleteParams::background().preconditions(same);
    let replaced = match jobs.delete(JOB, &params).await {
        Ok(_) => false,
        Err(kube::Error::Api(status)) if status.code == 404 => false,
        Err(kube::Error::Api(status)) if status.code == 409 => true,
        Err(error) => return Err(explain(&format!("delete {subject}"), &error)),
    };
    let deleted = poll(DELETED_WITHIN, Duration::from_millis(200), &silent, || async {
        match jobs.get_opt(JOB).await {
            Ok(None) => Condition::Met(Ok(())),
            Ok(Some(other)) if replaced || other.metadata.uid != job.metadata.uid => {
                Condition::Met(Err(is_running(cluster, Some(&other))))
            }
            Ok(Some(_)) => Condition::NotMet("the Job still exists".into()),
            Err(error) => Condition::NotMet(error.to_string()),
        }
    });
    deleted.await.map_err(|timed_out| {
        Error::cluster(format!("{subject} of an earlier run is not deleted {timed_out}"))
            .next(format!("see what keeps it: kubectl get job {JOB} -o yaml"))
    })?
}

/// The refusal of a second Job, with the run id of the first.
fn is_running(cluster: &Cluster, job: Option<&Job>) -> Error {
    let uid = job.and_then(|job| job.metadata.uid.as_deref());
    let run = uid.map(|uid| format!(" (run id {uid})")).unwrap_or_default();
    Error::preflight(format!("Job {}/{JOB} is running{run}", cluster.namespace))
        .next(format!("wait for it, or end it with: kubectl delete job {JOB}"))
}

/// Whether a Job is complete or failed.
pub(super) fn has_ended(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")
}

#[cfg(test)]
mod tests;
