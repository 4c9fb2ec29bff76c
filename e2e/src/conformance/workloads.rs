//! Deployments and Jobs: what they start, replace, end and take with them.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy};
use serde_json::{Value, json};

use super::stage::{Stage, container, deployment, is_ready, job};

/// Whether exactly `replicas` run, all of the newest template and all available.
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

pub(super) async fn replicas_follow_the_scale(stage: Stage) {
    let _: Deployment = stage.apply(&deployment(&stage, "web", 1)).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "name": "http", "port": 80, "targetPort": "http" }] },
    });
    let _: k8s_openapi::api::core::v1::Service = stage.apply(&service).await;
    stage.until("web", rolled_out(1)).await;
    for replicas in [3, 1, 0, 2] {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let scaled = stage.api::<Deployment>().patch_scale("web", &PatchParams::default(), &patch).await;
        let spec = scaled.expect("it is scaled").spec.expect("a spec");
        assert_eq!(spec.replicas.unwrap_or(0), replicas);
        stage.until("web", rolled_out(replicas)).await;
        let wanted = usize::try_from(replicas).expect("small");
        stage.until_pods("app=web", |pods| pods.len() == wanted && pods.iter().all(is_ready)).await;
        await_ready_endpoints(&stage, wanted).await;
    }
    let scale = stage.api::<Deployment>().get_scale("web").await.expect("a scale");
    assert_eq!(scale.status.map(|status| status.replicas), Some(2));
}

async fn await_ready_endpoints(stage: &Stage, wanted: usize) {
    // Pods change last, so the slices are at most a moment behind.
    let slices = ListParams::default().labels("kubernetes.io/service-name=web");
    let count = async || {
        let slices = stage.api::<EndpointSlice>().list(&slices).await.expect("slices").items;
        let endpoints = slices.into_iter().flat_map(|slice| slice.endpoints);
        endpoints.filter(|one| one.conditions.as_ref().is_some_and(|c| c.ready == Some(true))).count()
    };
    let by = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while count().await != wanted {
        assert!(tokio::time::Instant::now() < by, "{} endpoints, not {wanted}", count().await);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

pub(super) async fn a_new_template_rolls_out(stage: Stage) {
    let mut object = deployment(&stage, "web", 2);
    let _: Deployment = stage.apply(&object).await;
    stage.until("web", rolled_out(2)).await;
    let old: Vec<_> = stage.pods("app=web").await.iter().map(ResourceExt::name_any).collect();
    object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "VERSION", "value": "2" }]);
    let _: Deployment = stage.apply(&object).await;
    let found = stage.until("web", rolled_out(2)).await.expect("it is there");
    assert_eq!(found.annotations()["deployment.kubernetes.io/revision"], "2");
    let new = stage.until_pods("app=web", |pods| pods.len() == 2).await;
    assert!(new.iter().all(|pod| !old.contains(&pod.name_any())), "every pod is new");
    let hashes: Vec<_> = new.iter().map(|pod| pod.labels()["pod-template-hash"].clone()).collect();
    let sets = stage.api::<ReplicaSet>().list(&ListParams::default()).await.expect("ReplicaSets").items;
    assert_eq!(sets.len(), 2, "the old one is kept, empty");
    for set in sets {
        let current = set.labels()["pod-template-hash"] == hashes[0];
        assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(if current { 2 } else { 0 }));
    }
}

pub(super) async fn deleting_takes_what_it_owns(stage: Stage) {
    for (name, params) in
        [("background", DeleteParams::background()), ("foreground", DeleteParams::foreground())]
    {
        let _: Deployment = stage.apply(&deployment(&stage, name, 1)).await;
        let labels = format!("app={name}");
        stage.until_pods(&labels, |pods| pods.len() == 1).await;
        stage.api::<Deployment>().delete(name, &params).await.expect("it is deleted");
        stage.until_pods(&labels, <[_]>::is_empty).await;
        stage.until(name, |found: Option<&Deployment>| found.is_none()).await;
        let sets = stage.api::<ReplicaSet>().list(&ListParams::default().labels(&labels)).await;
        assert!(sets.expect("ReplicaSets").items.is_empty());
    }
}

pub(super) async fn orphans_stay(stage: Stage) {
    let _: Deployment = stage.apply(&deployment(&stage, "web", 1)).await;
    stage.until("web", rolled_out(1)).await;
    let params =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    stage.api::<Deployment>().delete("web", &params).await.expect("it is deleted");
    stage.until("web", |found: Option<&Deployment>| found.is_none()).await;
    let sets = stage.api::<ReplicaSet>().list(&ListParams::default().labels("app=web")).await;
    let sets = sets.expect("ReplicaSets").items;
    assert!(sets.len() == 1 && sets[0].owner_references().is_empty(), "{sets:?}");
    assert_eq!(stage.pods("app=web").await.len(), 1);
}

/// The condition of a Job that has ended, with its reason.
fn ended(found: Option<&Job>) -> Option<(String, String)> {
    let conditions = found?.status.as_ref()?.conditions.as_ref()?;
    let last = conditions
        .iter()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")?;
    Some((last.type_.clone(), last.reason.clone().unwrap_or_default()))
}

async fn run(stage: &Stage, object: &Value) -> (Job, String, String) {
    let _: Job = stage.apply(object).await;
    let name = object["metadata"]["name"].as_str().expect("a name");
    let found = stage.until(name, |found: Option<&Job>| ended(found).is_some()).await;
    let (kind, reason) = ended(found.as_ref()).expect("it has ended");
    (found.expect("it is there"), kind, reason)
}

pub(super) async fn a_job_succeeds(stage: Stage) {
    let (found, kind, _) = run(&stage, &job(&stage, "plan", &["plan", "--preset", "quick"])).await;
    assert_eq!(kind, "Complete");
    assert_eq!(found.status.and_then(|status| status.succeeded), Some(1));
    let pods = stage.pods("batch.kubernetes.io/job-name=plan").await;
    let ended = container(&pods[0]).and_then(|c| c.state.as_ref()?.terminated.clone()).expect("it has ended");
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (0, Some("Completed")));
    let phase = pods[0].status.as_ref().and_then(|status| status.phase.as_deref());
    assert_eq!(phase, Some("Succeeded"));
    let uid = found.metadata.uid.expect("a uid");
    assert_eq!(pods[0].labels()["batch.kubernetes.io/controller-uid"], uid);
}

pub(super) async fn a_job_fails_by_its_policy(stage: Stage) {
    let mut object = job(&stage, "plan", &["plan", "--users", "0"]);
    object["spec"]["backoffLimit"] = json!(6);
    object["spec"]["podFailurePolicy"] = json!({ "rules": [
        { "action": "FailJob", "onExitCodes": { "containerName": "driver", "operator": "In", "values": [2] } },
    ] });
    let (found, kind, reason) = run(&stage, &object).await;
    assert_eq!((kind.as_str(), reason.as_str()), ("Failed", "PodFailurePolicy"));
    assert_eq!(found.status.and_then(|status| status.failed), Some(1), "it is not tried again");
}

pub(super) async fn a_job_fails_after_its_retries(stage: Stage) {
    let mut object = job(&stage, "plan", &["plan", "--users", "0"]);
    object["spec"]["backoffLimit"] = json!(1);
    let (found, kind, reason) = run(&stage, &object).await;
    assert_eq!((kind.as_str(), reason.as_str()), ("Failed", "BackoffLimitExceeded"));
    assert_eq!(found.status.and_then(|status| status.failed), Some(2));
    let pods = stage.pods("batch.kubernetes.io/job-name=plan").await;
    let codes =
        pods.iter().filter_map(|pod| Some(container(pod)?.state.as_ref()?.terminated.as_ref()?.exit_code));
    assert_eq!(codes.collect::<Vec<_>>(), [2, 2]);
}
