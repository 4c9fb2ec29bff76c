//! The list of differences tells the truth: what it calls refused is refused, and what it says is warned about gets a
//! warning.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{Cluster, DEPLOYMENTS, PODS, deployment, pod};

const DIFFERENCES: &str = include_str!("../../differences.md");
const CRON_JOBS: &str = "/apis/batch/v1/namespaces/default/cronjobs";
const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const ROLE_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";

/// What a request for something that the list names must get.
enum Expected {
    /// This status code, and a message that contains this text.
    Refusal(u16, &'static str),
    /// A warning that contains this text.
    Warning(&'static str),
}
use Expected::{Refusal, Warning};

/// A phrase from the list, and a request.
type Case = (&'static str, &'static str, Value, Expected);

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[field] = value;
    object
}

fn service(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "s" }, "spec": { "ports": [{ "port": 80 }] },
    });
    let spec: Map<String, Value> = serde_json::from_value(spec).unwrap();
    object["spec"].as_object_mut().unwrap().extend(spec);
    object
}

fn container(field: &str, value: Value) -> Value {
    with(pod("p"), &format!("/spec/containers/0/{field}"), value)
}

fn cron_job(schedule: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "c" },
        "spec": { "schedule": schedule, "jobTemplate": { "spec": { "template": { "spec": {
            "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i:1" }],
        } } } } },
    })
}

fn stateful_set(more: Value) -> Value {
    let mut object = deployment("s");
    object["kind"] = json!("StatefulSet");
    let more: Map<String, Value> = serde_json::from_value(more).unwrap();
    object["spec"].as_object_mut().unwrap().extend(more);
    object
}

fn cases() -> impl Iterator<Item = Case> {
    pod_cases().into_iter().chain(other_cases())
}

fn pod_cases() -> Vec<Case> {
    let hook = json!({ "preStop": { "exec": { "command": ["true"] } } });
    let https = json!({ "httpGet": { "port": 1, "scheme": "HTTPS" } });
    let anywhere = json!({ "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [] } });
    let spread = json!([{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" }]);
    let template =
        |field: &str, value: Value| with(deployment("d"), &format!("/spec/template/spec/{field}"), value);
    vec![
        (
            "Lifecycle hooks",
            PODS,
            container("lifecycle", hook),
            Warning("spec.containers[0].lifecycle: ignored"),
        ),
        (
            "Init containers",
            DEPLOYMENTS,
            template("initContainers", json!([{ "name": "i", "image": "i:1" }])),
            Refusal(422, "does not run init containers"),
        ),
        (
            "Affinity",
            DEPLOYMENTS,
            template("affinity", anywhere),
            Warning("spec.template.spec.affinity: ignored"),
        ),
        (
            "topology spread",
            PODS,
            with(pod("p"), "/spec/topologySpreadConstraints", spread),
            Warning("spec.topologySpreadConstraints: ignored"),
        ),
        (
            "The host's network",
            PODS,
            with(pod("p"), "/spec/hostNetwork", json!(true)),
            Warning("spec.hostNetwork: ignored"),
        ),
        (
            "host ports",
            PODS,
            container("ports", json!([{ "containerPort": 1, "hostPort": 1 }])),
            Warning("hostPort is ignored"),
        ),
        ("HTTPS", PODS, container("readinessProbe", https), Refusal(422, "no HTTPS and gRPC probes")),
        (
            "gRPC probes",
            PODS,
            container("livenessProbe", json!({ "grpc": { "port": 1 } })),
            Refusal(422, "no HTTPS and gRPC probes"),
        ),
    ]
}

fn other_cases() -> Vec<Case> {
    let expressions = json!({ "matchExpressions": [{ "key": "app", "operator": "Exists" }] });
    let indexed = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j" },
        "spec": { "completionMode": "Indexed", "completions": 2, "template": { "spec": {
            "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i:1" }],
        } } },
    });
    let surge = json!({ "rollingUpdate": { "maxSurge": "9000000000000000000%" } });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "b" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
    });
    let unknown =
        |path| ("There are no ClusterRoles, quotas", path, json!({}), Refusal(404, "could not find"));
    vec![
        ("NodePorts", SERVICES, service(json!({ "type": "NodePort" })), Warning("no port of the node")),
        (
            "load balancer addresses",
            SERVICES,
            service(json!({ "type": "LoadBalancer" })),
            Warning("no port of the node"),
        ),
        (
            "Session affinity",
            SERVICES,
            service(json!({ "sessionAffinity": "ClientIP" })),
            Warning("spec.sessionAffinity: ignored"),
        ),
        (
            "protocols other than TCP",
            SERVICES,
            service(json!({ "ports": [{ "port": 1, "protocol": "UDP" }] })),
            Warning("forwards TCP only"),
        ),
        (
            "headless",
            SERVICES,
            service(json!({ "clusterIP": "None" })),
            Warning("a headless service has no addresses"),
        ),
        (
            "ExternalName",
            SERVICES,
            service(json!({ "type": "ExternalName", "externalName": "a.b" })),
            Warning("nothing listens behind this name"),
        ),
        (
            "`maxSurge` of more than",
            DEPLOYMENTS,
            with(deployment("d"), "/spec/strategy", surge),
            Refusal(422, "must be less than or equal to 2147483647%"),
        ),
        (
            "`matchExpressions`",
            DEPLOYMENTS,
            with(deployment("d"), "/spec/selector", expressions),
            Refusal(422, "supports only matchLabels"),
        ),
        (
            "`volumeClaimTemplates` of StatefulSets",
            STATEFUL_SETS,
            stateful_set(json!({ "volumeClaimTemplates": [{ "metadata": { "name": "v" }, "spec": {} }] })),
            Refusal(422, "no persistent volumes"),
        ),
        ("Indexed Jobs", JOBS, indexed, Refusal(422, "only Jobs of the mode NonIndexed")),
        ("Macros (`@daily`)", CRON_JOBS, cron_job("@daily"), Refusal(422, "expected exactly 5 fields")),
        ("RoleBindings to ClusterRoles", ROLE_BINDINGS, binding, Warning("grants nothing")),
        unknown("/api/v1/namespaces/default/resourcequotas"),
        unknown("/api/v1/namespaces/default/limitranges"),
        unknown("/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ]
}

/// The items of the list, each as one line.
fn items() -> Vec<String> {
    let (_, lists) = DIFFERENCES.split_once("\n## ").unwrap();
    let items = lists.split("\n- ").skip(1).map(|item| item.split("\n\n").next().unwrap_or_default());
    items.map(|item| item.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_difference_that_is_refused_or_warned_about_has_a_case() {
    let items = items();
    assert!(items.len() > 30, "{}", items.len());
    for item in items.iter().filter(|item| item.contains("refused") || item.contains("warned")) {
        // Too slow for a request: `too_many_pods_are_refused` in the tests of the cluster.
        let tested = item.contains("2,000 pods") || cases().any(|(phrase, ..)| item.contains(phrase));
        assert!(tested, "no request shows this: {item}");
    }
    for (phrase, _, _, expected) in cases() {
        let word = if matches!(expected, Refusal(..)) { "refused" } else { "warned" };
        let listed = items.iter().any(|item| item.contains(phrase) && item.contains(word));
        assert!(listed, "differences.md does not say that this is {word}: {phrase}");
    }
}

#[tokio::test]
async fn the_server_refuses_and_warns_as_the_list_says() {
    let cluster = Cluster::start().await;
    for (phrase, path, object, expected) in cases() {
        let url = cluster.url(&format!("{path}?dryRun=All"));
        let request = cluster.http().request(Method::POST, url).bearer_auth(cluster.tokens.admin());
        let response = request.body(object.to_string()).send().await.unwrap();
        let code = response.status().as_u16();
        let warnings: Vec<String> =
            response.headers().get_all("warning").iter().map(|w| w.to_str().unwrap().to_owned()).collect();
        let body = response.text().await.unwrap();
        match expected {
            Refusal(status, text) => {
                assert!(code == status && body.contains(text), "{phrase}: {code} {body}");
            }
            Warning(text) => {
                assert_eq!(code, 201, "{phrase}: {body}");
                assert!(warnings.iter().any(|warning| warning.contains(text)), "{phrase}: {warnings:?}");
            }
        }
    }
}

#[tokio::test]
async fn apply_and_patch_warn_too_and_ordinary_objects_cause_no_warning() {
    let cluster = Cluster::start().await;
    let warnings = async |method: Method, path: String, media: &str, object: &Value| {
        let request = cluster.http().request(method, cluster.url(&path)).bearer_auth(cluster.tokens.admin());
        let request = request.header("content-type", media).body(object.to_string());
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        response.headers().get_all("warning").iter().count()
    };
    let node_port = service(json!({ "type": "NodePort" }));
    let apply = format!("{SERVICES}/s?fieldManager=m");
    assert_eq!(warnings(Method::PATCH, apply.clone(), "application/apply-patch+yaml", &node_port).await, 1);
    assert_eq!(warnings(Method::PATCH, apply, "application/apply-patch+yaml", &node_port).await, 1);
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    let one = format!("{SERVICES}/s");
    assert_eq!(warnings(Method::PATCH, one, "application/merge-patch+json", &label).await, 1);
    for (path, object) in [(PODS, pod("p")), (DEPLOYMENTS, deployment("d"))] {
        assert_eq!(warnings(Method::POST, path.into(), "application/json", &object).await, 0, "{object}");
    }
}
