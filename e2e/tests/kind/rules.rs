//! Namespaces with rules of their own: injected containers, quotas, limits, refusals, policies. Namespaces that were made
//! for these stages also enforce the pod security standard `restricted`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::results::{assert_exact, only_record, only_run, records, rows};
use e2e::tool::{output_of, run};
use serde_json::{Value, json};

use crate::webhook::Webhook;
use e2e::kind::{KeptCluster, LOCUST, assert_refused, deploy_arguments};

const ONE: &str = "{replicas: [1], workers: [1], users: [4], duration: 2s, max_duration: 30s, warmup: 0s, cooldown: 0s, spawn_rate: 20}";
/// What the pods of an injected container may use.
const AGENTS_LIMIT: &str = "memory 48Mi (set by the cluster)";
/// What the refusing policy says.
const REFUSAL: &str = "load tests run in namespace perf only";

/// A container that runs until it is stopped, as a mesh's proxy does. Its name sorts before `driver`.
fn agent(cluster: &KeptCluster) -> Value {
    json!({
        "name": "agent",
        "image": cluster.stub_image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--host", "::", "--port", "15021"],
        "resources": { "requests": { "cpu": "1m", "memory": "16Mi" }, "limits": { "memory": "48Mi" } },
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    })
}

/// Runs the Job. Returns its ended process, and the folder with its results.
fn job(cluster: &KeptCluster, matrix: &str, code: i32, name: &str) -> (String, PathBuf) {
    let ended = run(&mut cluster.driver_job(&cluster.settings(matrix)));
    assert_eq!(ended.code, Some(code), "{}", ended.err);
    let results = cluster.folder.join(name);
    let fetched = run(&mut cluster.driver(&["fetch", "--results", results.to_str().unwrap()]));
    assert_eq!(fetched.code, Some(code), "{}", fetched.err);
    (ended.err, only_run(&results))
}

fn delete(cluster: &KeptCluster, kind: &str, name: &str) {
    output_of(&mut cluster.kubectl(&["delete", kind, name]));
}

/// Replaces all pods, so that the namespace's rules apply to them.
fn replace_pods(cluster: &KeptCluster) {
    output_of(&mut cluster.kubectl(&["rollout", "restart", "deployment"]));
    for deployment in ["deployment/inference", "deployment/locust-master", "deployment/locust-worker"] {
        cluster.wait_for_rollout(deployment);
    }
}

/// Every pod gets a container that does not end with the driver. The log and the exit code are the driver's, and the
/// Job ends.
pub(crate) fn an_injected_container_does_not_keep_the_job_from_ending(cluster: &KeptCluster) {
    let patch = json!([{ "op": "add", "path": "/spec/containers/0", "value": agent(cluster) }]);
    let webhook = Webhook::start(cluster, patch);
    replace_pods(cluster);
    let (said, folder) = job(cluster, ONE, 0, "sidecar");
    assert!(webhook.asked() >= 5, "{}", webhook.asked());
    for words in ["[1/1] replicas", "other containers of pod", "run on: agent;"] {
        assert!(said.contains(words), "no '{words}' in: {said}");
    }
    let record = only_record(&folder);
    assert_exact(&record);
    assert_eq!(record["environment"]["limits"]["inference/agent"], AGENTS_LIMIT);
    assert_eq!(record["environment"]["image_ids"].as_object().unwrap().len(), 1, "{record}");
    drop(webhook);
    replace_pods(cluster);
}

/// A quota has room for the driver and for one replica more, and not for two.
pub(crate) fn a_quota_is_told_in_the_servers_words(cluster: &KeptCluster) {
    cluster.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "team" },
        "spec": { "hard": { "pods": "5" } },
    }));
    let (said, folder) = job(cluster, &ONE.replace("[1], workers", "[1, 3], workers"), 5, "quota");
    assert_eq!(rows(&folder)[1][11], "INFEASIBLE", "{said}");
    assert!(said.contains("exceeded quota: team"), "{said}");
    assert_exact(&records(&folder)[0]);
    delete(cluster, "resourcequota", "team");

    // This one asks for what the manifests leave out on purpose.
    cluster.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "cpu" },
        "spec": { "hard": { "limits.cpu": "4" } },
    }));
    output_of(&mut cluster.kubectl(&["scale", "deployment/locust-worker", "--replicas=0"]));
    let deploy = deploy_arguments(LOCUST, &cluster.stub_image);
    assert_refused(
        &mut cluster.driver(&deploy),
        3,
        &["failed quota: cpu: must specify limits.cpu", "next: "],
    );
    delete(cluster, "resourcequota", "cpu");
    // Otherwise the cluster would try again only after a pause.
    replace_pods(cluster);
}

/// Defaults of the namespace are in the record, and a maximum that the stub exceeds is told at once.
pub(crate) fn limits_of_the_namespace_are_recorded(cluster: &KeptCluster) {
    let limit_range = |limits: Value| {
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "team" },
            "spec": { "limits": [limits] },
        }));
    };
    limit_range(json!({ "type": "Container", "default": { "cpu": "900m" } }));
    replace_pods(cluster);
    let (_, folder) = job(cluster, ONE, 0, "limit-range");
    let limits = only_record(&folder)["environment"]["limits"].clone();
    for container in ["inference", "locust-worker", "locust-master"] {
        let limits = limits[container].as_str().unwrap_or_default();
        assert!(limits.contains("cpu 900m (set by the cluster)"), "{container}: {limits}");
    }
    let report = std::fs::read_to_string(folder.join("auto_summary.md")).unwrap();
    assert!(report.contains("cpu 900m (set by the cluster)"), "{report}");

    limit_range(json!({ "type": "Container", "max": { "memory": "200Mi" } }));
    output_of(&mut cluster.kubectl(&["delete", "pods", "--selector=app=inference", "--wait=false"]));
    let deploy = deploy_arguments(LOCUST, &cluster.stub_image);
    let sentence = "maximum memory usage per Container is 200Mi, but limit is 256Mi";
    assert_refused(
        &mut cluster.driver(&deploy),
        3,
        &[sentence, &format!("deployment {}/inference", cluster.namespace)],
    );
    delete(cluster, "limitrange", "team");
    replace_pods(cluster);
}

/// A validating policy refuses first the Job, then its pods.
pub(crate) fn a_refused_job_is_told_in_the_policys_words(cluster: &KeptCluster) {
    let name = format!("no-load-{}", cluster.namespace);
    let policy = |group: &str, version: &str, resource: &str| {
        let rule = json!({
            "apiGroups": [group], "apiVersions": [version], "operations": ["CREATE"], "resources": [resource],
        });
        cluster.apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": { "name": name },
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": { "resourceRules": [rule] },
                "validations": [{
                    "expression": "!('role' in object.metadata.labels) || object.metadata.labels['role'] != 'driver'",
                    "message": REFUSAL,
                }],
            },
        }));
    };
    policy("batch", "v1", "jobs");
    cluster.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": cluster.namespace } },
            },
        },
    }));
    let driver = json!({ "name": "probe", "labels": { "role": "driver" } });
    let container = json!({
        "name": "probe", "image": "none",
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    });
    let pod = json!({
        "restartPolicy": "Never", "containers": [container],
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
    });
    await_refusal(
        cluster,
        &json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": driver, "spec": { "template": { "spec": pod } },
        }),
    );
    let matrix = cluster.settings(ONE);
    assert_refused(&mut cluster.driver_job(&matrix), 3, &[REFUSAL, "next: "]);

    policy("", "v1", "pods");
    await_refusal(cluster, &json!({ "apiVersion": "v1", "kind": "Pod", "metadata": driver, "spec": pod }));
    let begun = Instant::now();
    assert_refused(
        &mut cluster.driver_job(&matrix),
        3,
        &["the server refuses the Job's pod", REFUSAL, "next: "],
    );
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        delete(cluster, kind, &name);
    }
}

/// A policy is in force a moment after it was created.
fn await_refusal(cluster: &KeptCluster, object: &Value) {
    let create = "printf %s \"$2\" | kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace \"$1\" create --dry-run=server -f -";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut command = Command::new("docker");
        command.args(["exec", &cluster.node(), "sh", "-c", create, "sh", &cluster.namespace]);
        if run(command.arg(object.to_string())).err.contains(REFUSAL) {
            return;
        }
        assert!(Instant::now() < deadline, "the policy is not in force");
    }
}

/// With kubectl alone, in a namespace with all of these rules that leave enough: defaults for limits, a quota with
/// room, an injected container, and traffic denied by default but for the shipped policies. The network of this
/// cluster may not enforce policies; the API server checks them all the same.
pub(crate) fn kubectl_alone_runs_the_matrix_in_a_namespace_with_rules(cluster: &KeptCluster) {
    let own = cluster.create_namespace(&format!("{}-kubectl", cluster.namespace));
    own.apply(&json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "team" },
        "spec": { "limits": [{ "type": "Container", "default": { "cpu": "900m" }, "max": { "memory": "1Gi" } }] },
    }));
    own.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "team" },
        "spec": { "hard": { "pods": "8", "limits.cpu": "16", "limits.memory": "4Gi" } },
    }));
    own.apply(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "default-deny" },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"] },
    }));
    // As meshes inject their proxies today: an init container that runs on, and ends with the others.
    let mut sidecar = agent(cluster);
    sidecar["restartPolicy"] = "Always".into();
    let webhook =
        Webhook::start(&own, json!([{ "op": "add", "path": "/spec/initContainers", "value": [sidecar] }]));

    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    let node = cluster.node();
    let folder = format!("/{}", own.namespace);
    output_of(Command::new("docker").args(["exec", &node, "mkdir", "-p", &folder]));
    let to = format!("{node}:{folder}");
    output_of(Command::new("docker").args(["cp", manifests.to_str().unwrap(), &to]));
    let image = |name: &str, image: &str| {
        let (repository, tag) = image.rsplit_once(':').unwrap();
        json!({ "name": name, "newName": repository, "newTag": tag })
    };
    let images = [
        image("locust-driver", &cluster.driver_image),
        image("fake-inference", &cluster.stub_image),
        image("locustio/locust", LOCUST),
    ];
    let apply = |name: &str, resources: &[&str]| {
        let resources: Vec<String> = resources.iter().map(|one| format!("../manifests/{one}")).collect();
        let overlay = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "namespace": own.namespace, "resources": resources, "images": images,
        });
        let write = "mkdir -p \"$1\" && printf %s \"$2\" > \"$1/kustomization.yaml\"";
        let overlay_folder = format!("{folder}/{name}");
        let mut command = Command::new("docker");
        command.args(["exec", &node, "sh", "-c", write, "sh", &overlay_folder, &overlay.to_string()]);
        output_of(&mut command);
        output_of(&mut own.kubectl(&["apply", "-k", &overlay_folder]));
    };
    apply("locust", &["kind", "network-policy"]);
    for deployment in ["deployment/inference", "deployment/locust-master", "deployment/locust-worker"] {
        own.wait_for_rollout(deployment);
    }
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "locust-matrix-config" },
        "data": { "config.yaml": ONE },
    });
    own.apply(&settings);
    apply("job", &["job"]);
    let job = "job/locust-load-test-matrix";
    output_of(&mut own.kubectl(&["wait", "--for=condition=Complete", job, "--timeout=90s"]));
    assert!(webhook.asked() >= 5, "{}", webhook.asked());

    let results = own.folder.join("kubectl");
    output_of(&mut own.driver(&["fetch", "--results", results.to_str().unwrap()]));
    let run_folder = only_run(&results);
    let record = only_record(&run_folder);
    assert_exact(&record);
    let limits = record["environment"]["limits"].clone();
    let of = |container: &str| limits[container].as_str().unwrap_or_default().to_owned();
    assert!(of("inference").contains("cpu 900m (set by the cluster)"), "{limits}");
    assert!(of("locust-worker").contains("cpu 900m (set by the cluster)"), "{limits}");
    assert!(of("inference/agent").contains(AGENTS_LIMIT), "{limits}");
    drop(webhook);
    output_of(&mut cluster.kubectl_without_namespace(&[
        "delete",
        "namespace",
        &own.namespace,
        "--wait=false",
    ]));
}
