//! CronJobs.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::support::{Cluster, eventually, shell};

/// Creates a CronJob that is due once a minute, and pretends that its last Job started three minutes ago. So one Job
/// is due at once.
async fn due(cluster: &Cluster, script: &str, spec: Value) {
    let mut whole = json!({
        "schedule": "* * * * *", "suspend": true,
        "jobTemplate": {
            "metadata": { "labels": { "kind": "scheduled" } },
            "spec": { "template": { "spec": shell(script, json!({}), json!({ "restartPolicy": "Never" })) } },
        },
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    cluster.create::<CronJob>(json!({ "metadata": { "name": "cron" }, "spec": whole })).await;
    make_due(cluster).await;
    change(cluster, json!({ "spec": { "suspend": false } })).await;
}

async fn make_due(cluster: &Cluster) {
    let before = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(3);
    let status =
        json!({ "status": { "lastScheduleTime": before.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() } });
    let api = cluster.api::<CronJob>();
    api.patch_status("cron", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

async fn change(cluster: &Cluster, change: Value) {
    cluster.api::<CronJob>().patch("cron", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

async fn jobs(cluster: &Cluster) -> Vec<Value> {
    let jobs =
        cluster.api::<Job>().list(&ListParams::default().labels("kind=scheduled")).await.unwrap().items;
    jobs.into_iter().map(|job| serde_json::to_value(job).unwrap()).collect()
}

#[tokio::test]
async fn a_due_job_runs_and_is_recorded() {
    let cluster = Cluster::start().await;
    due(&cluster, "exit 0", json!({})).await;
    let object = cluster
        .await_object::<CronJob>("cron", |object| object["status"]["lastSuccessfulTime"].is_string())
        .await;
    let jobs = jobs(&cluster).await;
    let job = &jobs[0];
    assert!(job["metadata"]["name"].as_str().unwrap().starts_with("cron-"), "{job}");
    assert_eq!(job["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    let at = &job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
    assert!(at.as_str() <= object["status"]["lastScheduleTime"].as_str() && at.is_string(), "{object}");
    cluster.delete::<CronJob>("cron").await;
    let name = job["metadata"]["name"].as_str().unwrap();
    cluster.await_gone::<Job>(name).await;
}

#[tokio::test]
async fn a_running_job_forbids_or_is_replaced_by_the_next_one() {
    let cluster = Cluster::start().await;
    due(&cluster, "sleep 1000", json!({ "concurrencyPolicy": "Forbid" })).await;
    let active = |object: &Value| object["status"]["active"].as_array().is_some_and(|list| list.len() == 1);
    cluster.await_object::<CronJob>("cron", active).await;
    let first = jobs(&cluster).await.remove(0)["metadata"]["uid"].clone();
    make_due(&cluster).await;
    eventually(|| async {
        let reasons = cluster.reasons("cron").await;
        if reasons.contains(&"JobAlreadyActive".to_owned()) { Ok(()) } else { Err(format!("{reasons:?}")) }
    })
    .await;
    assert_eq!(jobs(&cluster).await.len(), 1);

    change(&cluster, json!({ "spec": { "concurrencyPolicy": "Replace" } })).await;
    eventually(|| async {
        let now = jobs(&cluster).await;
        match now.as_slice() {
            [job] if job["metadata"]["uid"] != first => Ok(()),
            _ => Err(format!("{now:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn only_as_many_finished_jobs_stay_as_the_history_limit_says() {
    let cluster = Cluster::start().await;
    due(&cluster, "exit 0", json!({ "successfulJobsHistoryLimit": 0 })).await;
    cluster.await_object::<CronJob>("cron", |object| object["status"]["lastScheduleTime"].is_string()).await;
    eventually(|| async {
        let reasons = cluster.reasons("cron").await;
        let left = jobs(&cluster).await;
        if left.is_empty() && reasons.contains(&"SuccessfulCreate".to_owned()) {
            Ok(())
        } else {
            Err(format!("{reasons:?} {left:?}"))
        }
    })
    .await;
}
