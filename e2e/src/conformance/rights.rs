//! What a pod's own account may do: nothing, until a Role says so.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::LogParams;
use serde_json::{Value, json};

use super::stage::{Stage, container, job};

/// The driver, asked to sweep a service with the account `driver`; its exit code and what it said.
async fn drive(stage: &Stage, name: &str) -> (i32, String) {
    let mut object: Value = job(stage, name, &["run", "--yes", "--preset", "quick"]);
    object["spec"]["template"]["spec"]["serviceAccountName"] = json!("driver");
    let _: Job = stage.apply(&object).await;
    let ended = |pod: &Pod| Some(container(pod)?.state.as_ref()?.terminated.as_ref()?.exit_code);
    let pods =
        stage.until_pods(&format!("app={name}"), |pods| pods.iter().any(|pod| ended(pod).is_some())).await;
    let said = stage.api::<Pod>().logs(&pods[0].name_any(), &LogParams::default()).await.expect("its log");
    (ended(&pods[0]).expect("it has ended"), said)
}

async fn account(stage: &Stage) {
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "driver" } });
    let _: ServiceAccount = stage.apply(&account).await;
}

fn forbidden(stage: &Stage, verb: &str, resource: &str, group: &str) -> String {
    let (namespace, user) = (&stage.namespace, format!("system:serviceaccount:{}:driver", stage.namespace));
    format!(
        "User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" in the namespace \"{namespace}\""
    )
}

pub(super) async fn without_a_role_nothing_is_allowed(stage: Stage) {
    account(&stage).await;
    let (code, said) = drive(&stage, "drive").await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains(&forbidden(&stage, "get", "deployments", "apps")), "{said}");
}

/// With names, only those names.
pub(super) async fn a_role_allows_what_it_names(stage: Stage) {
    account(&stage).await;
    let role = |names: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "driver" },
            "rules": [{ "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": names, "verbs": ["get"] }],
        })
    };
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "driver" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "driver" },
        "subjects": [{ "kind": "ServiceAccount", "name": "driver", "namespace": stage.namespace }],
    });
    let _: RoleBinding = stage.apply(&binding).await;
    let _: Role = stage.apply(&role(json!(["other"]))).await;
    let (code, said) = drive(&stage, "other").await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains(&forbidden(&stage, "get", "deployments", "apps")), "{said}");
    let _: Role = stage.apply(&role(json!(["inference"]))).await;
    let (code, said) = drive(&stage, "named").await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("deployments.apps \"inference\" not found"), "{said}");
}
