//! Numbers in Deployments and their ReplicaSets.

use serde_json::Value;

use crate::object::metadata::number;

/// The annotation with the revision of a Deployment or a ReplicaSet.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

/// The replicas that a Deployment or a ReplicaSet asks for.
pub(super) fn desired(object: &Value) -> i64 {
    number(object, "/spec/replicas").unwrap_or(1)
}

/// The available replicas of a ReplicaSet.
pub(super) fn available(set: &Value) -> i64 {
    number(set, "/status/availableReplicas").unwrap_or(0)
}

/// The revision of a ReplicaSet. 0 if it has none.
pub(super) fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}
