//! Server-side apply, with the library kube.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Cluster, deployment};

async fn apply(
    api: &Api<Deployment>,
    manager: &str,
    force: bool,
    object: &Value,
) -> kube::Result<Deployment> {
    let params = PatchParams { force, ..PatchParams::apply(manager) };
    api.patch("a", &params, &Patch::Apply(object)).await
}

fn with_replicas(replicas: i32) -> Value {
    let mut object = deployment("a");
    object["spec"]["replicas"] = json!(replicas);
    object
}

#[tokio::test]
async fn applying_twice_changes_nothing_and_another_manager_conflicts() {
    let cluster = Cluster::start().await;
    let api: Api<Deployment> = Api::namespaced(cluster.kube().await, "default");
    let first = apply(&api, "one", false, &with_replicas(2)).await.unwrap();
    let again = apply(&api, "one", false, &with_replicas(2)).await.unwrap();
    assert_eq!(first, again);
    // Two managers can own the same value. Another value is a conflict.
    apply(&api, "two", false, &with_replicas(2)).await.unwrap();
    let error = apply(&api, "two", false, &with_replicas(3)).await.unwrap_err();
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
    let cause = &status.details.unwrap().causes[0];
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("FieldManagerConflict", ".spec.replicas"));
    let forced = apply(&api, "two", true, &with_replicas(3)).await.unwrap();
    assert_eq!(forced.spec.unwrap().replicas, Some(3));
    // After a forced apply only the second manager owns the field.
    let error = apply(&api, "one", false, &with_replicas(2)).await.unwrap_err();
    assert!(error.to_string().contains("conflict with \"two\""), "{error}");
}

#[tokio::test]
async fn a_client_that_scales_owns_the_replicas() {
    let cluster = Cluster::start().await;
    let api: Api<Deployment> = Api::namespaced(cluster.kube().await, "default");
    apply(&api, "one", false, &with_replicas(2)).await.unwrap();
    let params = PatchParams { field_manager: Some("scaler".into()), ..PatchParams::default() };
    let scale =
        api.patch_scale("a", &params, &Patch::Merge(json!({ "spec": { "replicas": 5 } }))).await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(5));
    let error = apply(&api, "one", false, &with_replicas(2)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("conflict with \"scaler\" with subresource \"scale\" using apps/v1: .spec.replicas"),
        "{error}"
    );
    // Applying without replicas is no conflict, and leaves the replicas as they are.
    let silent = apply(&api, "one", false, &deployment("a")).await.unwrap();
    assert_eq!(silent.spec.unwrap().replicas, Some(5));
}

#[tokio::test]
async fn fields_that_are_no_longer_applied_are_removed() {
    let cluster = Cluster::start().await;
    let api: Api<Deployment> = Api::namespaced(cluster.kube().await, "default");
    let mut rich = deployment("a");
    rich["metadata"]["labels"] = json!({ "x": "1", "y": "2" });
    rich["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]);
    rich["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = json!({ "httpGet": { "port": 80 } });
    apply(&api, "one", false, &rich).await.unwrap();
    let mut poor = deployment("a");
    poor["metadata"]["labels"] = json!({ "x": "1" });
    poor["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "B", "value": "2" }]);
    let after = apply(&api, "one", false, &poor).await.unwrap();
    assert_eq!(after.metadata.labels.unwrap().len(), 1);
    let container = after.spec.unwrap().template.spec.unwrap().containers.remove(0);
    assert_eq!(container.env.unwrap().len(), 1);
    assert_eq!(container.liveness_probe, None);
    assert_eq!(container.image_pull_policy.as_deref(), Some("IfNotPresent"));
}

#[tokio::test]
async fn an_update_takes_over_the_fields_that_it_changes() {
    let cluster = Cluster::start().await;
    let api: Api<Deployment> = Api::namespaced(cluster.kube().await, "default");
    apply(&api, "one", false, &with_replicas(2)).await.unwrap();
    let params = PatchParams { field_manager: Some("editor".into()), ..PatchParams::default() };
    api.patch("a", &params, &Patch::Merge(json!({ "spec": { "replicas": 9 } }))).await.unwrap();
    let error = apply(&api, "one", false, &with_replicas(2)).await.unwrap_err();
    assert!(error.to_string().contains("conflict with \"editor\" using apps/v1: .spec.replicas"), "{error}");
}
