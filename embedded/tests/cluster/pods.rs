//! Pods and their containers.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::support::{Cluster, eventually};

fn state(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]
}

fn ready(pod: &Value) -> bool {
    pod["status"]["containerStatuses"][0]["ready"] == true
}

#[tokio::test]
async fn a_pod_succeeds_and_its_log_stays() {
    let cluster = Cluster::start().await;
    cluster
        .pod("once", "echo out; echo err >&2; exit 0", json!({}), json!({ "restartPolicy": "Never" }))
        .await;
    let pod = cluster.await_object::<Pod>("once", |pod| pod["status"]["phase"] == "Succeeded").await;
    assert_eq!(state(&pod)["terminated"]["exitCode"], 0);
    assert_eq!(state(&pod)["terminated"]["reason"], "Completed");
    let log = cluster.log("once").await;
    assert!(log.contains("out\n") && log.contains("err\n"), "{log}");
}

#[tokio::test]
async fn the_status_shows_exit_code_and_signal() {
    let cluster = Cluster::start().await;
    let never = || json!({ "restartPolicy": "Never" });
    cluster.pod("fails", "exit 3", json!({}), never()).await;
    // In arguments, $$ means one dollar sign. So the shell gets $$, its own process ID.
    cluster.pod("killed", "kill -9 $$$$", json!({}), never()).await;
    let failed = cluster.await_object::<Pod>("fails", |pod| pod["status"]["phase"] == "Failed").await;
    assert_eq!(
        (&state(&failed)["terminated"]["exitCode"], &state(&failed)["terminated"]["reason"]),
        (&json!(3), &json!("Error"))
    );
    let killed = cluster.await_object::<Pod>("killed", |pod| pod["status"]["phase"] == "Failed").await;
    assert_eq!(
        (&state(&killed)["terminated"]["exitCode"], &state(&killed)["terminated"]["signal"]),
        (&json!(137), &json!(9))
    );
}

#[tokio::test]
async fn a_crashing_container_is_restarted_with_a_back_off() {
    let cluster = Cluster::start().await;
    cluster.pod("crash", "echo run; exit 1", json!({}), json!({})).await;
    let pod = cluster
        .await_object::<Pod>("crash", |pod| state(pod)["waiting"]["reason"] == "CrashLoopBackOff")
        .await;
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["restartCount"], 1, "the first restart has no delay, the second one has");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    let message = status["state"]["waiting"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("back-off 10s restarting failed container=main pod=crash_default("),
        "{message}"
    );
    assert_eq!(pod["status"]["phase"], "Running");
    assert!(cluster.reasons("crash").await.contains(&"BackOff".to_owned()));
    let before = kube::api::LogParams { previous: true, ..Default::default() };
    assert_eq!(cluster.api::<Pod>().logs("crash", &before).await.unwrap(), "run\n");
}

#[tokio::test]
async fn an_unknown_image_is_reported() {
    let cluster = Cluster::start().await;
    cluster.pod("unknown", "", json!({ "image": "nginx:1" }), json!({})).await;
    let pod = cluster
        .await_object::<Pod>("unknown", |pod| state(pod)["waiting"]["reason"] == "ImagePullBackOff")
        .await;
    let message = state(&pod)["waiting"]["message"].as_str().unwrap();
    assert!(
        message.contains("nginx:1") && message.contains("knows only shell, locustio/locust"),
        "{message}"
    );
    assert_eq!(pod["status"]["phase"], "Pending");
}

#[tokio::test]
async fn a_pod_with_too_large_requests_is_unschedulable() {
    let cluster = Cluster::start().await;
    let resources = json!({ "resources": { "requests": { "cpu": "1000" } } });
    cluster.pod("large", "sleep 100", resources, json!({})).await;
    let pod = cluster.await_object::<Pod>("large", |pod| pod["status"]["conditions"].is_array()).await;
    let condition = &pod["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&json!("PodScheduled"), &json!("False")));
    assert_eq!(condition["reason"], "Unschedulable");
    assert_eq!(condition["message"], "0/1 nodes are available: 1 Insufficient cpu.");
    assert!(cluster.reasons("large").await.contains(&"FailedScheduling".to_owned()));
}

#[tokio::test]
async fn a_pod_that_needs_a_gpu_is_unschedulable() {
    let cluster = Cluster::start().await;
    let resources = json!({ "resources": { "limits": { "nvidia.com/gpu": "1" } } });
    cluster.pod("gpu", "sleep 100", resources, json!({})).await;
    let pod = cluster.await_object::<Pod>("gpu", |pod| pod["status"]["conditions"].is_array()).await;
    let condition = &pod["status"]["conditions"][0];
    assert_eq!(condition["reason"], "Unschedulable");
    assert_eq!(condition["message"], "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.");
}

#[tokio::test]
async fn a_drained_node_gets_no_pods_until_it_is_uncordoned() {
    use k8s_openapi::api::core::v1::Node;
    use kube::api::{Api, ListParams};
    let cluster = Cluster::start().await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let node = nodes.list(&ListParams::default()).await.unwrap().items.remove(0).metadata.name.unwrap();
    nodes.cordon(&node).await.unwrap();
    cluster.pod("waits", "sleep 100", json!({}), json!({})).await;
    let pod = cluster.await_object::<Pod>("waits", |pod| pod["status"]["conditions"].is_array()).await;
    let message = &pod["status"]["conditions"][0]["message"];
    assert_eq!(message, "0/1 nodes are available: 1 node(s) were unschedulable.");
    nodes.uncordon(&node).await.unwrap();
    cluster.await_object::<Pod>("waits", |pod| state(pod)["running"].is_object()).await;
}

#[tokio::test]
async fn addresses_paths_and_names_are_replaced_in_arguments_variables_and_files() {
    let cluster = Cluster::start().await;
    cluster
        .create::<k8s_openapi::api::core::v1::Service>(json!({
            "metadata": { "name": "target" },
            "spec": { "selector": { "app": "x" }, "ports": [{ "port": 80 }] },
        }))
        .await;
    cluster
        .create::<ConfigMap>(
            json!({ "metadata": { "name": "map" }, "data": { "url": "http://target:80/x" } }),
        )
        .await;
    let container = json!({
        "args": ["-c", "echo $A; echo $B; cat $FILE; echo; cat $1/url; echo; echo $2; touch $TMPDIR/x", "sh", "/etc/map", "0.0.0.0:1"],
        "env": [
            { "name": "A", "value": "http://target/" },
            { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
            { "name": "B", "value": "$(IP)" },
            { "name": "FILE", "value": "/etc/map/url" },
        ],
        "volumeMounts": [{ "name": "map", "mountPath": "/etc/map" }, { "name": "tmp", "mountPath": "/tmp" }],
    });
    let spec = json!({
        "restartPolicy": "Never",
        "volumes": [{ "name": "map", "configMap": { "name": "map" } }, { "name": "tmp", "emptyDir": {} }],
    });
    cluster.pod("sees", "", container, spec).await;
    let pod = cluster.await_object::<Pod>("sees", |pod| pod["status"]["phase"] == "Succeeded").await;
    let service = cluster
        .await_object::<k8s_openapi::api::core::v1::Service>("target", |s| s["spec"]["clusterIP"].is_string())
        .await;
    let (address, own) =
        (service["spec"]["clusterIP"].as_str().unwrap(), pod["status"]["podIP"].as_str().unwrap());
    let expected = [
        format!("http://{address}/"),
        own.to_owned(),
        format!("http://{address}:80/x"),
        format!("http://{address}:80/x"),
        format!("{own}:1"),
    ];
    assert_eq!(cluster.log("sees").await.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_pod_waits_for_a_missing_config_map() {
    let cluster = Cluster::start().await;
    let container = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let volumes =
        json!({ "volumes": [{ "name": "v", "configMap": { "name": "late" } }], "restartPolicy": "Never" });
    cluster.pod("waits", "exit 0", container, volumes).await;
    eventually(|| async {
        let reasons = cluster.reasons("waits").await;
        if reasons.contains(&"FailedMount".to_owned()) { Ok(()) } else { Err(format!("{reasons:?}")) }
    })
    .await;
    cluster.create::<ConfigMap>(json!({ "metadata": { "name": "late" } })).await;
    cluster.await_object::<Pod>("waits", |pod| pod["status"]["phase"] == "Succeeded").await;
}

#[tokio::test]
async fn readiness_follows_the_probe() {
    let cluster = Cluster::start().await;
    let probe = json!({ "exec": { "command": ["/bin/sh", "-c", "test -e flag"] }, "periodSeconds": 1, "failureThreshold": 1 });
    let script = "sleep 1; touch flag; sleep 3; rm flag; sleep 100";
    cluster.pod("probed", script, json!({ "readinessProbe": probe }), json!({})).await;
    let pod = cluster.await_object::<Pod>("probed", |pod| state(pod)["running"].is_object()).await;
    assert!(!ready(&pod), "not ready before the probe succeeds");
    cluster.await_object::<Pod>("probed", ready).await;
    let pod = cluster.await_object::<Pod>("probed", |pod| !ready(pod)).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    assert!(cluster.reasons("probed").await.contains(&"Unhealthy".to_owned()));
}

#[tokio::test]
async fn the_output_of_a_failed_probe_command_is_reported() {
    let cluster = Cluster::start().await;
    let probe =
        json!({ "exec": { "command": ["/bin/sh", "-c", "echo broken; exit 3"] }, "periodSeconds": 1 });
    cluster.pod("broken", "sleep 100", json!({ "readinessProbe": probe }), json!({})).await;
    eventually(|| async {
        let messages = cluster.messages("broken").await;
        let expected = "Readiness probe failed: broken".to_owned();
        if messages.contains(&expected) { Ok(()) } else { Err(format!("{messages:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_probe_command_that_times_out_leaves_no_process() {
    let cluster = Cluster::start().await;
    let command = "sleep 5813 & sleep 5813";
    let probe = json!({ "exec": { "command": ["/bin/sh", "-c", command] }, "periodSeconds": 100 });
    cluster.pod("slow", "sleep 100", json!({ "readinessProbe": probe }), json!({})).await;
    eventually(|| async {
        let messages = cluster.messages("slow").await;
        let timed_out = messages.iter().any(|message| message.contains("context deadline exceeded"));
        if timed_out { Ok(()) } else { Err(format!("{messages:?}")) }
    })
    .await;
    let state = cluster.state().display().to_string();
    eventually(|| async {
        let left = super::support::processes_with_argument(&state, "5813");
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_failed_liveness_probe_restarts_the_container() {
    let cluster = Cluster::start().await;
    let probe = json!({ "exec": { "command": ["/bin/false"] }, "periodSeconds": 1, "failureThreshold": 1 });
    cluster.pod("dead", "sleep 100", json!({ "livenessProbe": probe }), json!({})).await;
    let restarted = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_i64() >= Some(1);
    let pod = cluster.await_object::<Pod>("dead", restarted).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 143);
    assert!(cluster.reasons("dead").await.contains(&"Killing".to_owned()));
}

#[tokio::test]
async fn sigterm_comes_first_and_sigkill_after_the_grace_period() {
    let cluster = Cluster::start().await;
    let stubborn = "trap '' TERM; while true; do sleep 0.1; done";
    cluster.pod("stubborn", stubborn, json!({}), json!({ "terminationGracePeriodSeconds": 2 })).await;
    cluster
        .pod(
            "willing",
            "trap 'exit 0' TERM; while true; do sleep 0.1; done",
            json!({}),
            json!({ "terminationGracePeriodSeconds": 60 }),
        )
        .await;
    for name in ["stubborn", "willing"] {
        cluster.await_object::<Pod>(name, |pod| state(pod)["running"].is_object()).await;
    }
    let started = std::time::Instant::now();
    cluster.delete::<Pod>("willing").await;
    cluster.await_gone::<Pod>("willing").await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let started = std::time::Instant::now();
    cluster.delete::<Pod>("stubborn").await;
    cluster.await_gone::<Pod>("stubborn").await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_forced_deletion_leaves_no_process() {
    let cluster = Cluster::start().await;
    cluster.pod("forced", "trap '' TERM; sleep 4711 & wait; sleep 4711", json!({}), json!({})).await;
    cluster.await_object::<Pod>("forced", |pod| state(pod)["running"].is_object()).await;
    let state = cluster.state().display().to_string();
    cluster.api::<Pod>().delete("forced", &DeleteParams::default().grace_period(0)).await.unwrap();
    eventually(|| async {
        let left = super::support::processes_with_argument(&state, "4711");
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}
