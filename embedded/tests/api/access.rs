//! Authorization by Roles, such as the driver's.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use reqwest::Method;
use serde_json::json;

use crate::support::{Cluster, DEPLOYMENTS, PODS, deployment, expect_refusal};

/// A cluster with the account `robot`, which may list pods, read the Deployment `a` and scale it.
async fn with_robot() -> (Cluster, String) {
    let cluster = Cluster::start().await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let account = json!({ "metadata": { "name": "robot" } });
    let role = json!({ "metadata": { "name": "r" }, "rules": [
        { "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] },
        { "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["a"], "verbs": ["get", "list", "watch"] },
        { "apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["a"], "verbs": ["patch"] },
    ] });
    let binding = json!({
        "metadata": { "name": "b" }, "roleRef": { "kind": "Role", "name": "r" },
        "subjects": [{ "kind": "ServiceAccount", "name": "robot", "namespace": "default" }],
    });
    for (path, object) in [
        ("/api/v1/namespaces/default/serviceaccounts".to_owned(), account),
        (format!("{roles}/roles"), role),
        (format!("{roles}/rolebindings"), binding),
        (DEPLOYMENTS.to_owned(), deployment("a")),
        (DEPLOYMENTS.to_owned(), deployment("b")),
    ] {
        let (code, made) = cluster.post(&path, &object).await;
        assert_eq!(code, 201, "{made}");
    }
    let token = cluster.tokens.service_account("default", "robot").unwrap();
    (cluster, token)
}

#[tokio::test]
async fn a_client_has_only_the_rights_of_its_role() {
    let (cluster, robot) = with_robot().await;
    let json = "application/json";
    let ask = async |method: Method, path: &str| {
        let body = if method == Method::PATCH { r#"{"spec":{"replicas":1}}"# } else { "" };
        let media = if method == Method::PATCH { "application/merge-patch+json" } else { json };
        cluster.ask_as(&robot, method, path, media, body).await
    };
    let scale_a = format!("{DEPLOYMENTS}/a/scale");
    let allowed = [
        (Method::GET, PODS.to_owned()),
        (Method::GET, format!("{DEPLOYMENTS}/a")),
        (Method::GET, format!("{DEPLOYMENTS}?fieldSelector=metadata.name%3Da")),
        (Method::PATCH, scale_a.clone()),
        (Method::GET, "/apis".to_owned()),
    ];
    for (method, path) in allowed {
        let (code, body) = ask(method.clone(), &path).await;
        assert_eq!(code, 200, "{method} {path}: {body}");
    }
    let user = "User \"system:serviceaccount:default:robot\" cannot";
    let forbidden = [
        (
            Method::GET,
            format!("{PODS}/a"),
            format!(
                "pods \"a\" is forbidden: {user} get resource \"pods\" in API group \"\" in the namespace \"default\""
            ),
        ),
        (
            Method::GET,
            "/api/v1/pods".into(),
            format!(
                "pods is forbidden: {user} list resource \"pods\" in API group \"\" at the cluster scope"
            ),
        ),
        (
            Method::GET,
            DEPLOYMENTS.into(),
            format!(
                "deployments.apps is forbidden: {user} list resource \"deployments\" in API group \"apps\" in the namespace \"default\""
            ),
        ),
        (
            Method::GET,
            format!("{DEPLOYMENTS}/b"),
            format!(
                "deployments.apps \"b\" is forbidden: {user} get resource \"deployments\" in API group \"apps\" in the namespace \"default\""
            ),
        ),
        (
            Method::PUT,
            scale_a,
            format!(
                "deployments.apps \"a\" is forbidden: {user} update resource \"deployments/scale\" in API group \"apps\" in the namespace \"default\""
            ),
        ),
        (
            Method::GET,
            format!("{PODS}/a/log"),
            format!(
                "pods \"a\" is forbidden: {user} get resource \"pods/log\" in API group \"\" in the namespace \"default\""
            ),
        ),
        (
            Method::GET,
            "/api/v1/namespaces/kube-system/pods".into(),
            format!(
                "pods is forbidden: {user} list resource \"pods\" in API group \"\" in the namespace \"kube-system\""
            ),
        ),
    ];
    for (method, path, message) in forbidden {
        let answer = ask(method.clone(), &path).await;
        assert_eq!(expect_refusal(&answer, 403, "Forbidden"), message, "{method} {path}");
    }
}

#[tokio::test]
async fn rights_end_when_the_role_binding_is_deleted() {
    let (cluster, robot) = with_robot().await;
    let pods: Api<Pod> = Api::namespaced(cluster.kube_with(&robot).await, "default");
    pods.list(&ListParams::default()).await.unwrap();
    cluster.delete("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings/b", &json!({})).await;
    let error = pods.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 403), "{error}");
}

#[tokio::test]
async fn every_client_may_review_its_own_rights() {
    let (cluster, robot) = with_robot().await;
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let asked = |verb: &str, resource: &str, subresource: &str, name: &str| {
        let attributes = json!({ "verb": verb, "group": "apps", "resource": resource, "subresource": subresource, "name": name, "namespace": "default" });
        json!({ "spec": { "resourceAttributes": attributes } }).to_string()
    };
    for (body, expected) in [
        (asked("get", "deployments", "", "a"), true),
        (asked("get", "deployments", "", "b"), false),
        (asked("patch", "deployments", "scale", "a"), true),
        (asked("delete", "deployments", "", "a"), false),
    ] {
        let (code, answer) =
            cluster.ask_as(&robot, Method::POST, reviews, "application/json", body.clone()).await;
        assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(expected)), "{body}");
    }
    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let body = json!({ "spec": { "namespace": "default" } }).to_string();
    let (code, answer) = cluster.ask_as(&robot, Method::POST, rules, "application/json", body).await;
    assert_eq!(code, 201);
    let scale = answer["status"]["resourceRules"]
        .as_array()
        .unwrap()
        .iter()
        .any(|rule| rule["resources"] == json!(["deployments/scale"]));
    assert!(scale, "{answer}");
}
