//! Pods: their states, their logs and their configuration.

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::LogParams;
use serde_json::json;

use super::sandbox::{Sandbox, container, deployment, is_ready, job};

pub(super) async fn an_unready_pod_gets_no_traffic(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] =
        json!("/nothing");
    let _: Deployment = sandbox.apply(&object).await;
    let running = |pod: &Pod| container(pod).and_then(|c| c.started).unwrap_or(false);
    let pods = sandbox.wait_for_pods("app=web", |pods| pods.iter().any(running)).await;
    assert!(!is_ready(&pods[0]));
    let found =
        sandbox.api::<Deployment>().get_status("web").await.expect("a status").status.expect("a status");
    assert_eq!((found.ready_replicas, found.unavailable_replicas), (None, Some(1)));
    object["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] =
        json!("/healthz");
    let _: Deployment = sandbox.apply(&object).await;
    sandbox.wait_for_pods("app=web", |pods| pods.len() == 1 && is_ready(&pods[0])).await;
}

pub(super) async fn a_crashing_container_backs_off(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["--no-such-flag"]);
    let _: Deployment = sandbox.apply(&object).await;
    let backs_off = |pod: &Pod| {
        let waiting = container(pod).and_then(|c| c.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        waiting == Some("CrashLoopBackOff")
    };
    let pods = sandbox.wait_for_pods("app=web", |pods| pods.iter().any(backs_off)).await;
    let container = container(&pods[0]).expect("a container");
    assert!(container.restart_count >= 1);
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref()).expect("it has ended");
    assert_eq!((last.exit_code, last.reason.as_deref()), (2, Some("Error")));
    let previous = LogParams { previous: true, ..LogParams::default() };
    let log = sandbox.api::<Pod>().logs(&pods[0].name_any(), &previous).await.expect("its log");
    assert!(log.contains("--no-such-flag"), "{log}");
}

pub(super) async fn a_pod_without_its_image_waits(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nowhere.invalid/none:1");
    let _: Deployment = sandbox.apply(&object).await;
    let waits = |pod: &Pod| {
        let waiting = container(pod).and_then(|c| c.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        matches!(waiting, Some("ErrImagePull" | "ImagePullBackOff"))
    };
    let pods = sandbox.wait_for_pods("app=web", |pods| pods.iter().any(waits)).await;
    assert_eq!(pods[0].status.as_ref().and_then(|status| status.phase.as_deref()), Some("Pending"));
}

pub(super) async fn a_pod_without_room_is_not_scheduled(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "cpu": "1000" } });
    let _: Deployment = sandbox.apply(&object).await;
    let unplaced = |pod: &Pod| {
        let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|c| {
            c.type_ == "PodScheduled"
                && c.status == "False"
                && c.reason.as_deref() == Some("Unschedulable")
                && c.message.as_ref().is_some_and(|message| message.contains("Insufficient cpu"))
        })
    };
    sandbox.wait_for_pods("app=web", |pods| pods.iter().any(unplaced)).await;
}

pub(super) async fn logs_are_read_and_followed(sandbox: Sandbox) {
    let _: Job = sandbox.apply(&job(&sandbox, "plan", &["plan", "--replicas", "1,2", "--json"])).await;
    let started = |pod: &Pod| {
        container(pod)
            .and_then(|c| c.state.as_ref())
            .is_some_and(|s| s.running.is_some() || s.terminated.is_some())
    };
    let pods = sandbox.wait_for_pods("app=plan", |pods| pods.iter().any(started)).await;
    let (api, name) = (sandbox.api::<Pod>(), pods[0].name_any());
    let follow = LogParams { follow: true, timestamps: true, ..LogParams::default() };
    let lines: Vec<String> =
        api.log_stream(&name, &follow).await.expect("a log").lines().try_collect().await.expect("every line");
    // The stream ends with the container. Each line begins with its time.
    let text: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once(' ').map(|(_, text)| text)).collect();
    let scenarios: Vec<serde_json::Value> = serde_json::from_str(&text.concat()).expect("the whole of it");
    assert!(scenarios.len() > 1);
    let stamp = lines[0].split(' ').next().expect("a time");
    assert!(stamp.len() >= 20 && stamp.ends_with('Z'), "{stamp}");
    let tail = LogParams { tail_lines: Some(1), ..LogParams::default() };
    assert_eq!(api.logs(&name, &tail).await.expect("its end").trim_end(), *text.last().expect("a line"));
}

/// A pod gets ConfigMaps as files and as variables, and the driver reads both.
pub(super) async fn configuration_reaches_the_pod(sandbox: Sandbox) {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" },
        "data": { "config.yaml": "{preset: quick, users: [7]}", "replicas": "3" },
    });
    let _: ConfigMap = sandbox.apply(&map).await;
    let mut object = job(&sandbox, "plan", &["plan", "--json", "--replicas", "$(REPLICAS)"]);
    let pod = &mut object["spec"]["template"]["spec"];
    pod["volumes"] = json!([{ "name": "settings", "configMap": { "name": "settings" } }]);
    pod["containers"][0]["volumeMounts"] = json!([{ "name": "settings", "mountPath": "/etc/matrix" }]);
    pod["containers"][0]["env"] = json!([
        { "name": "LOCUST_MATRIX_CONFIG", "value": "/etc/matrix/config.yaml" },
        { "name": "REPLICAS", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "replicas" } } },
    ]);
    let _: Job = sandbox.apply(&object).await;
    let done = |found: Option<&Job>| {
        found
            .and_then(|job| job.status.as_ref())
            .is_some_and(|s| s.succeeded == Some(1) || s.failed.is_some_and(|n| n > 0))
    };
    sandbox.wait_for("plan", done).await;
    let pods = sandbox.pods("app=plan").await;
    let log = sandbox.api::<Pod>().logs(&pods[0].name_any(), &LogParams::default()).await.expect("its log");
    let scenarios: Vec<serde_json::Value> = serde_json::from_str(&log).expect("JSON");
    assert!(scenarios.iter().all(|s| s["users"] == 7 && s["replicas"] == 3), "{log}");
}
