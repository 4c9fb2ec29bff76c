//! Deployments and Jobs start, replace and end pods, and are deleted together with them.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy};
use serde_json::{Value, json};

use super::sandbox::{Sandbox, container, deployment, is_ready, job};

/// Whether exactly `replicas` pods run, all of them updated and available.
fn rolled_out(replicas: i32) -> impl Fn(Option<&Deployment>) -> bool {
    move |found| {
        let Some((found, status)) = found.and_then(|d| Some((d, d.status.as_ref()?))) else {
            return false;
        };
        status.observed_generation == found.metadata.generation
            && [status.replicas, status.updated_replicas, status.available_replicas]
                .iter()
                .all(|count| count.unwrap_or(0) == replicas)
    }
}

pub(super) async fn replicas_follow_the_scale(sandbox: Sandbox) {
    let _: Deployment = sandbox.apply(&deployment(&sandbox, "web", 1)).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "name": "http", "port": 80, "targetPort": "http" }] },
    });
    let _: k8s_openapi::api::core::v1::Service = sandbox.apply(&service).await;
    sandbox.wait_for("web", rolled_out(1)).await;
    for replicas in [3, 1, 0, 2] {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let scaled = sandbox.api::<Deployment>().patch_scale("web", &PatchParams::default(), &patch).await;
        let spec = scaled.expect("it is scaled").spec.expect("a spec");
        assert_eq!(spec.replicas.unwrap_or(0), replicas);
        sandbox.wait_for("web", rolled_out(replicas)).await;
        let wanted = usize::try_from(replicas).expect("small");
        sandbox.wait_for_pods("app=web", |pods| pods.len() == wanted && pods.iter().all(is_ready)).await;
        await_ready_endpoints(&sandbox, wanted).await;
    }
    let scale = sandbox.api::<Deployment>().get_scale("web").await.expect("a scale");
    assert_eq!(scale.status.map(|status| status.replicas), Some(2));
}

async fn await_ready_endpoints(sandbox: &Sandbox, wanted: usize) {
    // The slices follow the pods after a moment.
    let slices = ListParams::default().labels("kubernetes.io/service-name=web");
    let count = async || {
        let slices = sandbox.api::<EndpointSlice>().list(&slices).await.expect("slices").items;
        let endpoints = slices.into_iter().flat_map(|slice| slice.endpoints);
        endpoints.filter(|one| one.conditions.as_ref().is_some_and(|c| c.ready == Some(true))).count()
    };
    let by = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while count().await != wanted {
        assert!(tokio::time::Instant::now() < by, "{} endpoints, not {wanted}", count().await);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

pub(super) async fn a_new_template_rolls_out(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 2);
    let _: Deployment = sandbox.apply(&object).await;
    sandbox.wait_for("web", rolled_out(2)).await;
    let old: Vec<_> = sandbox.pods("app=web").await.iter().map(ResourceExt::name_any).collect();
    object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "VERSION", "value": "2" }]);
    let _: Deployment = sandbox.apply(&object).await;
    let found = sandbox.wait_for("web", rolled_out(2)).await.expect("it is there");
    assert_eq!(found.annotations()["deployment.kubernetes.io/revision"], "2");
    let new = sandbox.wait_for_pods("app=web", |pods| pods.len() == 2).await;
    assert!(new.iter().all(|pod| !old.contains(&pod.name_any())), "every pod is new");
    let hashes: Vec<_> = new.iter().map(|pod| pod.labels()["pod-template-hash"].clone()).collect();
    let sets = sandbox.api::<ReplicaSet>().list(&ListParams::default()).await.expect("ReplicaSets").items;
    assert_eq!(sets.len(), 2, "the old one is kept, empty");
    for set in sets {
        let current = set.labels()["pod-template-hash"] == hashes[0];
        assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(if current { 2 } else { 0 }));
    }
}

pub(super) async fn deletion_removes_owned_objects(sandbox: Sandbox) {
    for (name, params) in
        [("background", DeleteParams::background()), ("foreground", DeleteParams::foreground())]
    {
        let _: Deployment = sandbox.apply(&deployment(&sandbox, name, 1)).await;
        let labels = format!("app={name}");
        sandbox.wait_for_pods(&labels, |pods| pods.len() == 1).await;
        sandbox.api::<Deployment>().delete(name, &params).await.expect("it is deleted");
        sandbox.wait_for_pods(&labels, <[_]>::is_empty).await;
        sandbox.wait_for(name, |found: Option<&Deployment>| found.is_none()).await;
        let sets = sandbox.api::<ReplicaSet>().list(&ListParams::default().labels(&labels)).await;
        assert!(sets.expect("ReplicaSets").items.is_empty());
    }
}

pub(super) async fn orphaned_objects_remain(sandbox: Sandbox) {
    let _: Deployment = sandbox.apply(&deployment(&sandbox, "web", 1)).await;
    sandbox.wait_for("web", rolled_out(1)).await;
    let params =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    sandbox.api::<Deployment>().delete("web", &params).await.expect("it is deleted");
    sandbox.wait_for("web", |found: Option<&Deployment>| found.is_none()).await;
    let sets = sandbox.api::<ReplicaSet>().list(&ListParams::default().labels("app=web")).await;
    let sets = sets.expect("ReplicaSets").items;
    assert!(sets.len() == 1 && sets[0].owner_references().is_empty(), "{sets:?}");
    assert_eq!(sandbox.pods("app=web").await.len(), 1);
}

/// Returns the last condition of a Job that has ended: its type and its reason.
fn ended(found: Option<&Job>) -> Option<(String, String)> {
    let conditions = found?.status.as_ref()?.conditions.as_ref()?;
    let last = conditions
        .iter()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")?;
    Some((last.type_.clone(), last.reason.clone().unwrap_or_default()))
}

async fn run(sandbox: &Sandbox, object: &Value) -> (Job, String, String) {
    let _: Job = sandbox.apply(object).await;
    let name = object["metadata"]["name"].as_str().expect("a name");
    let found = sandbox.wait_for(name, |found: Option<&Job>| ended(found).is_some()).await;
    let (kind, reason) = ended(found.as_ref()).expect("it has ended");
    (found.expect("it is there"), kind, reason)
}

pub(super) async fn a_job_succeeds(sandbox: Sandbox) {
    let (found, kind, _) = run(&sandbox, &job(&sandbox, "plan", &["plan", "--preset", "quick"])).await;
    assert_eq!(kind, "Complete");
    assert_eq!(found.status.and_then(|status| status.succeeded), Some(1));
    let pods = sandbox.pods("batch.kubernetes.io/job-name=plan").await;
    let ended = container(&pods[0]).and_then(|c| c.state.as_ref()?.terminated.clone()).expect("it has ended");
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (0, Some("Completed")));
    let phase = pods[0].status.as_ref().and_then(|status| status.phase.as_deref());
    assert_eq!(phase, Some("Succeeded"));
    let uid = found.metadata.uid.expect("a uid");
    assert_eq!(pods[0].labels()["batch.kubernetes.io/controller-uid"], uid);
}

pub(super) async fn a_job_fails_by_its_policy(sandbox: Sandbox) {
    let mut object = job(&sandbox, "plan", &["plan", "--users", "0"]);
    object["spec"]["backoffLimit"] = json!(6);
    object["spec"]["podFailurePolicy"] = json!({ "rules": [
        { "action": "FailJob", "onExitCodes": { "containerName": "driver", "operator": "In", "values": [2] } },
    ] });
    let (found, kind, reason) = run(&sandbox, &object).await;
    assert_eq!((kind.as_str(), reason.as_str()), ("Failed", "PodFailurePolicy"));
    assert_eq!(found.status.and_then(|status| status.failed), Some(1), "it is not tried again");
}

pub(super) async fn a_job_fails_after_its_retries(sandbox: Sandbox) {
    let mut object = job(&sandbox, "plan", &["plan", "--users", "0"]);
    object["spec"]["backoffLimit"] = json!(1);
    let (found, kind, reason) = run(&sandbox, &object).await;
    assert_eq!((kind.as_str(), reason.as_str()), ("Failed", "BackoffLimitExceeded"));
    assert_eq!(found.status.and_then(|status| status.failed), Some(2));
    let pods = sandbox.pods("batch.kubernetes.io/job-name=plan").await;
    let codes =
        pods.iter().filter_map(|pod| Some(container(pod)?.state.as_ref()?.terminated.as_ref()?.exit_code));
    assert_eq!(codes.collect::<Vec<_>>(), [2, 2]);
}
