//! Refused requests, and the messages.

use reqwest::Method;
use serde_json::json;

use crate::support::{CONFIG_MAPS, Cluster, DEPLOYMENTS, PODS, config_map, deployment, expect_refusal, pod};

#[tokio::test]
async fn missing_objects_and_unknown_paths_are_not_found() {
    let cluster = Cluster::start().await;
    let missing = cluster.get(&format!("{DEPLOYMENTS}/a")).await;
    assert_eq!(expect_refusal(&missing, 404, "NotFound"), "deployments.apps \"a\" not found");
    for path in [
        "/apis/apps/v1/namespaces/default/daemonsets",
        "/apis/nope/v1",
        "/nope",
        "/api/v2/pods",
        "/apis/apps/v1/namespaces/default/deployments/a/nope",
    ] {
        expect_refusal(&cluster.get(path).await, 404, "NotFound");
    }
    let nowhere = cluster.post("/api/v1/namespaces/nowhere/configmaps", &config_map("a")).await;
    assert_eq!(expect_refusal(&nowhere, 404, "NotFound"), "namespaces \"nowhere\" not found");
}

#[tokio::test]
async fn wrong_tokens_methods_and_media_types_are_refused() {
    let cluster = Cluster::start().await;
    for token in ["", "wrong", &cluster.tokens.admin()[1..]] {
        expect_refusal(
            &cluster.ask_as(token, Method::GET, PODS, "application/json", "").await,
            401,
            "Unauthorized",
        );
    }
    expect_refusal(&cluster.put(CONFIG_MAPS, &config_map("a")).await, 405, "MethodNotAllowed");
    expect_refusal(&cluster.post("/version", &json!({})).await, 405, "MethodNotAllowed");
    let html = cluster.ask(Method::POST, CONFIG_MAPS, "text/html", "<p>").await;
    expect_refusal(&html, 415, "UnsupportedMediaType");
    cluster.post(CONFIG_MAPS, &config_map("a")).await;
    let patch = cluster.ask(Method::PATCH, &format!("{CONFIG_MAPS}/a"), "application/json", "{}").await;
    assert!(expect_refusal(&patch, 415, "UnsupportedMediaType").contains("application/merge-patch+json"));
    let request = cluster.http().get(cluster.url(PODS)).bearer_auth(cluster.tokens.admin());
    let response = request.header("accept", "text/html").send().await.unwrap();
    assert_eq!(response.status(), 406);
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let cluster = Cluster::start().await;
    let mut object = config_map("a");
    object["data"]["a"] = json!("x".repeat(4 * 1024 * 1024));
    expect_refusal(&cluster.post(CONFIG_MAPS, &object).await, 413, "RequestEntityTooLarge");
    object["data"]["a"] = json!("x".repeat(1_100_000));
    assert!(expect_refusal(&cluster.post(CONFIG_MAPS, &object).await, 422, "Invalid").contains("Too long"));
    object["data"]["a"] = json!("x".repeat(1_000_000));
    assert_eq!(cluster.post(CONFIG_MAPS, &object).await.0, 201);
    // Each operation copies the result of the one before.
    let doubled: Vec<_> =
        (0..40).map(|i| json!({ "op": "copy", "from": "/data", "path": format!("/data/c{i}") })).collect();
    let refused = cluster.patch(&format!("{CONFIG_MAPS}/a"), "json-patch+json", &json!(doubled)).await;
    expect_refusal(&refused, 413, "RequestEntityTooLarge");
}

#[tokio::test]
async fn the_message_names_the_invalid_field() {
    let cluster = Cluster::start().await;
    let cases = [
        ("/spec/replicas", json!("two"), 400, "spec.replicas"),
        (
            "/spec/replicas",
            json!(-1),
            422,
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        ("/spec/selector", json!({}), 422, "spec.selector: Required value"),
        (
            "/spec/template/metadata/labels",
            json!({ "app": "z" }),
            422,
            "`selector` does not match template `labels`",
        ),
        ("/spec/template/spec/containers", json!([]), 422, "spec.template.spec.containers: Required value"),
        (
            "/spec/template/spec/containers/0/image",
            json!(""),
            422,
            "spec.template.spec.containers[0].image: Required value",
        ),
        (
            "/spec/template/spec/containers/0/name",
            json!("A_b"),
            422,
            "spec.template.spec.containers[0].name: Invalid value: \"A_b\"",
        ),
        (
            "/spec/template/spec/restartPolicy",
            json!("Never"),
            422,
            "spec.template.spec.restartPolicy: Unsupported value",
        ),
        (
            "/metadata/name",
            json!("Upper"),
            422,
            "metadata.name: Invalid value: \"Upper\": a lowercase RFC 1123 subdomain",
        ),
        (
            "/spec/strategy",
            json!({ "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 0 } }),
            422,
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            "/spec/template/spec/containers/0/resources",
            json!({ "requests": { "cpu": "-1" } }),
            422,
            "spec.template.spec.containers[0].resources.requests.cpu: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
        (
            "/spec/template/spec/containers/0/resources",
            json!({ "requests": { "cpu": "2" }, "limits": { "cpu": 1 } }),
            422,
            "spec.template.spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
        ),
        (
            "/metadata/annotations",
            json!({ "a": "x".repeat(262_144) }),
            422,
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        ("/metadata/namespace", json!("other"), 400, "the namespace of the provided object does not match"),
        ("/kind", json!("Pod"), 400, "the kind in the data (Pod)"),
        ("/metadata/resourceVersion", json!("5"), 400, "resourceVersion should not be set"),
    ];
    for (pointer, value, code, expected) in cases {
        let mut object = deployment("a");
        object["metadata"]["namespace"] = json!("default");
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[field] = value;
        let reason = if code == 422 { "Invalid" } else { "BadRequest" };
        let message = expect_refusal(&cluster.post(DEPLOYMENTS, &object).await, code, reason);
        assert!(message.contains(expected), "{pointer}: {message}");
    }
}

#[tokio::test]
async fn a_lease_is_replaced_only_with_its_version() {
    let cluster = Cluster::start().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let (code, mut lease) = cluster.post(leases, &json!({ "metadata": { "name": "l" } })).await;
    assert_eq!(code, 201);
    assert_eq!(cluster.put(&format!("{leases}/l"), &lease).await.0, 200);
    lease["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let refused = cluster.put(&format!("{leases}/l"), &lease).await;
    assert_eq!(
        expect_refusal(&refused, 422, "Invalid"),
        "Lease.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"
    );
}

#[tokio::test]
async fn unknown_fields_are_refused_or_reported_as_warnings() {
    let cluster = Cluster::start().await;
    let mut object = deployment("a");
    object["spec"]["template"]["spec"]["containers"][0]["imag"] = json!("x");
    let refused = cluster.post(&format!("{DEPLOYMENTS}?fieldValidation=Strict"), &object).await;
    let message = expect_refusal(&refused, 400, "BadRequest");
    assert!(
        message.ends_with("strict decoding error: unknown field \"spec.template.spec.containers[0].imag\""),
        "{message}"
    );
    let request = cluster.http().post(cluster.url(&format!("{DEPLOYMENTS}?fieldValidation=Warn")));
    let response = request.bearer_auth(cluster.tokens.admin()).body(object.to_string()).send().await.unwrap();
    let warning = response.headers()["warning"].to_str().unwrap().to_owned();
    assert!(warning.contains("unknown field"), "{warning}");
    let (_, kept) = cluster.get(&format!("{DEPLOYMENTS}/a")).await;
    assert!(kept["spec"]["template"]["spec"]["containers"][0].get("imag").is_none());
}

#[tokio::test]
async fn only_images_of_pods_can_change_and_their_service_account_must_exist() {
    let cluster = Cluster::start().await;
    cluster.post(PODS, &pod("a")).await;
    let path = format!("{PODS}/a");
    let image = json!({ "spec": { "containers": [{ "name": "c", "image": "i:2" }] } });
    assert_eq!(cluster.patch(&path, "strategic-merge-patch+json", &image).await.0, 200);
    let policy = json!({ "spec": { "restartPolicy": "Never" } });
    let refused = cluster.patch(&path, "merge-patch+json", &policy).await;
    assert!(expect_refusal(&refused, 422, "Invalid").contains("pod updates may not change fields"));
    let mut other = pod("b");
    other["spec"]["serviceAccountName"] = json!("nobody");
    let refused = cluster.post(PODS, &other).await;
    let message = expect_refusal(&refused, 403, "Forbidden");
    assert_eq!(
        message,
        "pods \"b\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found"
    );
}
