//! A pod's account has no permissions except those of its Role.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::LogParams;
use serde_json::{Value, json};

use super::sandbox::{Sandbox, container, job};

/// Starts the driver with the account `driver`. Returns its exit code and its log.
async fn run_driver(sandbox: &Sandbox, name: &str) -> (i32, String) {
    let mut object: Value = job(sandbox, name, &["run", "--yes", "--preset", "quick"]);
    object["spec"]["template"]["spec"]["serviceAccountName"] = json!("driver");
    let _: Job = sandbox.apply(&object).await;
    let ended = |pod: &Pod| Some(container(pod)?.state.as_ref()?.terminated.as_ref()?.exit_code);
    let pods = sandbox
        .wait_for_pods(&format!("app={name}"), |pods| pods.iter().any(|pod| ended(pod).is_some()))
        .await;
    let log = sandbox.api::<Pod>().logs(&pods[0].name_any(), &LogParams::default()).await.expect("its log");
    (ended(&pods[0]).expect("it has ended"), log)
}

async fn create_account(sandbox: &Sandbox) {
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "driver" } });
    let _: ServiceAccount = sandbox.apply(&account).await;
}

fn forbidden(sandbox: &Sandbox, verb: &str, resource: &str, group: &str) -> String {
    let (namespace, user) =
        (&sandbox.namespace, format!("system:serviceaccount:{}:driver", sandbox.namespace));
    format!(
        "User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" in the namespace \"{namespace}\""
    )
}

pub(super) async fn without_a_role_nothing_is_allowed(sandbox: Sandbox) {
    create_account(&sandbox).await;
    let (code, log) = run_driver(&sandbox, "drive").await;
    assert_eq!(code, 3, "{log}");
    assert!(log.contains(&forbidden(&sandbox, "get", "deployments", "apps")), "{log}");
}

/// A rule with names allows access to those objects only.
pub(super) async fn a_role_allows_only_what_it_names(sandbox: Sandbox) {
    create_account(&sandbox).await;
    let role = |names: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "driver" },
            "rules": [{ "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": names, "verbs": ["get"] }],
        })
    };
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "driver" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "driver" },
        "subjects": [{ "kind": "ServiceAccount", "name": "driver", "namespace": sandbox.namespace }],
    });
    let _: RoleBinding = sandbox.apply(&binding).await;
    let _: Role = sandbox.apply(&role(json!(["other"]))).await;
    let (code, log) = run_driver(&sandbox, "other").await;
    assert_eq!(code, 3, "{log}");
    assert!(log.contains(&forbidden(&sandbox, "get", "deployments", "apps")), "{log}");
    let _: Role = sandbox.apply(&role(json!(["inference"]))).await;
    let (code, log) = run_driver(&sandbox, "named").await;
    assert_eq!(code, 3, "{log}");
    assert!(log.contains("has no workload inference"), "{log}");
}
