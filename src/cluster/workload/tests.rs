use super::*;
use crate::cluster::FakeApi;
use crate::exit::ExitCode;
use serde_json::{Value, json};

const APPS: &str = "/apis/apps/v1/namespaces/default";

fn object(selector: &Value) -> Value {
    let container = json!({ "name": "bert", "image": "bert:1", "resources": { "limits": { "cpu": "2" } } });
    json!({
        "metadata": { "name": "bert", "uid": "u1" },
        "spec": {
            "replicas": 3, "minReadySeconds": 240, "selector": selector,
            "template": { "spec": { "terminationGracePeriodSeconds": 600, "containers": [container] } },
        },
    })
}

fn labels() -> Value {
    json!({ "matchLabels": { "app": "bert" } })
}

async fn read(api: &FakeApi, name: &str) -> Result<Workload> {
    read_workload(&api.cluster(), &name.parse().unwrap()).await
}

#[tokio::test]
async fn a_name_without_a_kind_finds_a_deployment_or_a_stateful_set() {
    let api = FakeApi::default();
    api.put(&format!("{APPS}/statefulsets/bert"), object(&labels()));
    let found = read(&api, "bert").await.unwrap();
    assert_eq!(
        (found.describe().as_str(), found.id().as_str()),
        ("statefulset bert", "statefulsets.apps/bert")
    );
    assert_eq!((found.uid.as_str(), found.replicas, found.selector.as_str()), ("u1", 3, "app=bert"));
    assert_eq!((found.grace.as_secs(), found.min_ready.as_secs(), found.one_by_one), (600, 240, true));
    assert_eq!(found.images(), [("bert".to_owned(), "bert:1".to_owned())]);

    api.put(&format!("{APPS}/deployments/bert"), object(&labels()));
    let error = read(&api, "bert").await.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert!(error.message.contains("deployments.apps/bert, statefulsets.apps/bert"), "{error}");
    assert_eq!(read(&api, "sts/bert").await.unwrap().describe(), "statefulset bert");
    // `inference.deployment` has always meant the Deployment.
    let first = WorkloadName { deployment_first: true, ..WorkloadName::deployment("bert") };
    let first = WorkloadName { kind: None, group: None, ..first };
    assert_eq!(read_workload(&api.cluster(), &first).await.unwrap().id(), "bert");
}

#[tokio::test]
async fn the_digest_of_a_template_changes_with_its_environment_and_not_with_a_restart() {
    let digest = async |change: &dyn Fn(&mut Value)| {
        let api = FakeApi::default();
        let mut bert = object(&labels());
        change(&mut bert["spec"]["template"]);
        api.put(&format!("{APPS}/deployments/bert"), bert);
        read(&api, "bert").await.unwrap().template
    };
    let first = digest(&|_| {}).await;
    assert_eq!(first.len(), 64);
    let restarted = json!({ "annotations": { "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" } });
    // The server keeps empty metadata.
    let empty = digest(&|template| template["metadata"] = json!({})).await;
    assert_eq!(empty, digest(&|template| template["metadata"] = restarted.clone()).await);
    let env = json!([{ "name": "THREADS", "value": "2" }]);
    assert_ne!(first, digest(&|template| template["spec"]["containers"][0]["env"] = env.clone()).await);
    let checksum = json!({ "annotations": { "checksum/config": "1" } });
    assert_ne!(empty, digest(&|template| template["metadata"] = checksum.clone()).await);
}

#[tokio::test]
async fn a_name_that_nothing_has_is_answered_with_the_names_that_are_there() {
    let api = FakeApi::default();
    for (path, name) in [("deployments", "shop"), ("statefulsets", "bart")] {
        let mut other = object(&labels());
        other["metadata"]["name"] = json!(name);
        api.put(&format!("{APPS}/{path}/{name}"), other);
    }
    let error = read(&api, "bert").await.unwrap_err();
    assert_eq!(
        error.message,
        "namespace default has no workload bert: it has deployment/shop, statefulset/bart"
    );
}

#[tokio::test]
async fn a_role_without_stateful_sets_does_not_hide_that_the_deployment_is_missing() {
    let api = FakeApi::default();
    api.fail(|_, path, _| path.contains("statefulsets").then_some(crate::cluster::Fault::Refused(403)));
    let error = read(&api, "bert").await.unwrap_err();
    assert!(error.message.contains("has no workload bert"), "{error}");
    let error = read(&api, "statefulset/bert").await.unwrap_err();
    assert!(error.to_string().contains("statefulsets/scale"), "the rule to add: {error}");
    api.fail(|_, _, _| Some(crate::cluster::Fault::Refused(403)));
    let error = read(&api, "bert").await.unwrap_err();
    assert!(error.message.starts_with("deployment default/bert: permission is missing"), "{error}");
}

#[tokio::test]
async fn a_custom_kind_is_found_by_discovery_and_its_scale_says_the_rest() {
    let api = FakeApi::default();
    let group = json!({ "groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1" });
    let group = json!({ "name": "argoproj.io", "versions": [group], "preferredVersion": group });
    let broken = json!({ "groupVersion": "metrics.k8s.io/v1", "version": "v1" });
    let broken = json!({ "name": "metrics.k8s.io", "versions": [broken], "preferredVersion": broken });
    api.put("/apis", json!({ "groups": [broken, group] }));
    let resource = |name: &str, kind: &str| json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get", "list"] });
    let resources = [
        resource("rollouts", "Rollout"),
        resource("rollouts/scale", "Scale"),
        resource("analyses", "Analysis"),
    ];
    let list = json!({ "groupVersion": "argoproj.io/v1alpha1", "resources": resources });
    api.put("/apis/argoproj.io/v1alpha1", list);
    let path = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/bert";
    api.put(path, json!({ "metadata": { "name": "bert", "uid": "r1" }, "spec": { "workloadRef": {} } }));
    let scale = json!({ "metadata": {}, "spec": { "replicas": 2 }, "status": { "replicas": 2, "selector": "app=b" } });
    api.put(&format!("{path}/scale"), scale);

    for name in ["rollouts.argoproj.io/bert", "rollout/bert", "bert"] {
        let found = read(&api, name).await.unwrap();
        assert_eq!(found.id(), "rollouts.argoproj.io/bert", "{name}");
        assert_eq!((found.replicas, found.selector.as_str()), (2, "app=b"), "{name}");
    }
    let error = read(&api, "analyses.argoproj.io/bert").await.unwrap_err();
    assert!(error.to_string().contains("rollouts.argoproj.io"), "the kinds that can be scaled: {error}");
}

#[tokio::test]
async fn every_container_of_the_template_is_named_with_its_image() {
    let api = FakeApi::default();
    let mut pair = object(&labels());
    let container = |name: &str, image: &str| json!({ "name": name, "image": image });
    let containers = [container("access-log", "proxy:1"), container("model", "bert:2")];
    pair["spec"]["template"]["spec"]["containers"] = json!(containers);
    api.put(&format!("{APPS}/deployments/bert"), pair);
    let images = read(&api, "bert").await.unwrap().images();
    let named = |name: &str, image: &str| (name.to_owned(), image.to_owned());
    assert_eq!(images, [named("bert/access-log", "proxy:1"), named("bert/model", "bert:2")]);
}

#[test]
fn a_selector_of_expressions_is_written_as_the_api_server_reads_it() {
    let selector = json!({
        "matchLabels": { "app": "bert" },
        "matchExpressions": [
            { "key": "track", "operator": "In", "values": ["stable", "main"] },
            { "key": "canary", "operator": "DoesNotExist" },
        ],
    });
    assert_eq!(selector_of(&selector).unwrap(), "app=bert,track in (stable,main),!canary");
    assert_eq!(selector_of(&json!({})), None);
}
