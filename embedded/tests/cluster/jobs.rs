//! Jobs, to their success and to their failure.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::support::{Cluster, shell};

fn job(script: &str, more: &Value) -> Value {
    let mut spec = json!({
        "template": { "spec": shell(script, json!({}), json!({ "restartPolicy": "Never" })) },
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "metadata": { "name": "job" }, "spec": spec })
}

fn has(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|list| list.iter().any(|c| c["type"] == kind && c["status"] == "True"))
}

fn reason(object: &Value) -> (&str, &str) {
    let failed =
        object["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Failed").unwrap();
    (failed["reason"].as_str().unwrap(), failed["message"].as_str().unwrap())
}

#[tokio::test]
async fn success_is_complete_and_the_pod_knows_its_job() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("exit 0", &json!({}))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Complete")).await;
    assert_eq!(object["status"]["succeeded"], 1);
    assert!(object["status"]["completionTime"].is_string());
    let uid = object["metadata"]["uid"].as_str().unwrap();
    assert_eq!(
        cluster.pods(&format!("batch.kubernetes.io/controller-uid={uid},job-name=job")).await.len(),
        1
    );
}

#[tokio::test]
async fn too_many_failures_end_it() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("exit 4", &json!({ "backoffLimit": 0 }))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    assert_eq!(reason(&object), ("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    assert_eq!(object["status"]["failed"], 1);
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_pause() {
    let cluster = Cluster::start().await;
    let begun = std::time::Instant::now();
    cluster.create::<Job>(job("exit 4", &json!({ "backoffLimit": 1 }))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    assert_eq!(object["status"]["failed"], 2);
    assert!(begun.elapsed().as_secs() >= 9, "the second pod came after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_code_that_the_policy_names_ends_it_at_once() {
    let cluster = Cluster::start().await;
    let rule = json!({ "action": "FailJob", "onExitCodes": { "containerName": "main", "operator": "In", "values": [3] } });
    cluster
        .create::<Job>(job("exit 3", &json!({ "backoffLimit": 6, "podFailurePolicy": { "rules": [rule] } })))
        .await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    let (reason, message) = reason(&object);
    assert_eq!(reason, "PodFailurePolicy");
    assert!(message.ends_with("failed with exit code 3 matching FailJob rule at index 0"), "{message}");
    assert_eq!(object["status"]["failed"], 1);
}

#[tokio::test]
async fn it_is_not_run_for_longer_than_it_may() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("sleep 1000", &json!({ "activeDeadlineSeconds": 1 }))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    assert_eq!(reason(&object).0, "DeadlineExceeded");
}

#[tokio::test]
async fn it_goes_when_its_time_is_over_with_its_pods() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("exit 0", &json!({ "ttlSecondsAfterFinished": 0 }))).await;
    cluster.await_gone::<Job>("job").await;
    assert!(cluster.pods("job-name=job").await.is_empty());
}

#[tokio::test]
async fn suspending_ends_its_pod_and_resuming_makes_another() {
    use kube::api::{Patch, PatchParams};
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("sleep 1000", &json!({}))).await;
    cluster.await_object::<Job>("job", |object| object["status"]["active"] == 1).await;
    let suspend = |yes: bool| Patch::Merge(json!({ "spec": { "suspend": yes } }));
    let api = cluster.api::<Job>();
    api.patch("job", &PatchParams::default(), &suspend(true)).await.unwrap();
    cluster.await_object::<Job>("job", |object| object["status"]["active"].is_null()).await;
    assert!(cluster.pods("job-name=job").await.is_empty());
    api.patch("job", &PatchParams::default(), &suspend(false)).await.unwrap();
    cluster.await_object::<Job>("job", |object| object["status"]["active"] == 1).await;
}
