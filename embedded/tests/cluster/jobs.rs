//! Jobs.

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
async fn a_successful_job_is_complete_and_its_pod_has_its_labels() {
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
async fn a_job_fails_after_too_many_failed_pods() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("exit 4", &json!({ "backoffLimit": 0 }))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    assert_eq!(reason(&object), ("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    assert_eq!(object["status"]["failed"], 1);
}

#[tokio::test]
async fn a_failed_pod_is_replaced_after_a_back_off() {
    let cluster = Cluster::start().await;
    let started = std::time::Instant::now();
    cluster.create::<Job>(job("exit 4", &json!({ "backoffLimit": 1 }))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    assert_eq!(object["status"]["failed"], 2);
    assert!(started.elapsed().as_secs() >= 9, "the second pod came after {:?}", started.elapsed());
}

#[tokio::test]
async fn an_exit_code_in_the_failure_policy_fails_the_job_at_once() {
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
async fn a_job_fails_at_its_active_deadline() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("sleep 1000", &json!({ "activeDeadlineSeconds": 1 }))).await;
    let object = cluster.await_object::<Job>("job", |object| has(object, "Failed")).await;
    assert_eq!(reason(&object).0, "DeadlineExceeded");
}

#[tokio::test]
async fn a_finished_job_is_deleted_with_its_pods_after_its_ttl() {
    let cluster = Cluster::start().await;
    cluster.create::<Job>(job("exit 0", &json!({ "ttlSecondsAfterFinished": 0 }))).await;
    cluster.await_gone::<Job>("job").await;
    assert!(cluster.pods("job-name=job").await.is_empty());
}

#[tokio::test]
async fn an_evicted_pod_has_the_condition_that_a_failure_policy_can_ignore() {
    use k8s_openapi::api::core::v1::Pod;
    let cluster = Cluster::start().await;
    let rule = json!({ "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget" }] });
    let policy = json!({ "backoffLimit": 0, "podFailurePolicy": { "rules": [rule] } });
    cluster.create::<Job>(job("trap '' TERM; sleep 1000 & wait; wait", &policy)).await;
    cluster.await_object::<Job>("job", |object| object["status"]["ready"] == 1).await;
    let pod = cluster.pods("job-name=job").await.remove(0);
    let name = pod["metadata"]["name"].as_str().unwrap();
    let pods = cluster.api::<Pod>();
    pods.evict(name, &kube::api::EvictParams::default()).await.unwrap();
    let evicted = serde_json::to_value(pods.get(name).await.unwrap()).unwrap();
    let conditions = evicted["status"]["conditions"].as_array().unwrap();
    let target = conditions.iter().find(|condition| condition["type"] == "DisruptionTarget").unwrap();
    assert_eq!((&target["status"], &target["reason"]), (&json!("True"), &json!("EvictionByEvictionAPI")));
    assert!(evicted["metadata"]["deletionTimestamp"].is_string());
    // A new pod replaces it, although the Job allows no failure.
    cluster.await_gone::<Pod>(name).await;
    let object = cluster.await_object::<Job>("job", |object| object["status"]["ready"] == 1).await;
    assert!(object["status"]["failed"].is_null(), "{object}");
}

#[tokio::test]
async fn suspending_deletes_the_pod_and_resuming_creates_a_new_one() {
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
