//! What several parts of the cluster have to know about a pod.

use jiff::Timestamp;
use serde_json::Value;

use super::conditions;
use super::metadata::is_terminating;
use crate::time;

/// Whether all containers of the pod have ended for good.
pub(crate) fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a controller counts the pod among its replicas.
pub(crate) fn is_active(pod: &Value) -> bool {
    !has_ended(pod) && !is_terminating(pod)
}

/// Whether the pod's `Ready` condition is true.
pub(crate) fn is_ready(pod: &Value) -> bool {
    conditions::is_true(pod, "Ready")
}

/// For how many seconds the pod has been ready. `None` if it is not ready.
pub(crate) fn ready_for(pod: &Value) -> Option<i64> {
    let condition = conditions::of_object(pod, "Ready").filter(|ready| ready["status"] == "True")?;
    let since = time::parse(&condition["lastTransitionTime"])?;
    Some(Timestamp::now().as_second() - since.as_second())
}

/// Fills in the defaults that pods have and pod templates do not have.
pub(crate) fn fill_defaults(spec: &mut Value) {
    for (field, value) in
        [("serviceAccountName", Value::from("default")), ("enableServiceLinks", Value::from(true))]
    {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
}

/// Whether the scheduler has assigned the pod to the node.
pub(crate) fn is_scheduled(pod: &Value) -> bool {
    pod["spec"]["nodeName"].is_string()
}
