//! The labels by which a Job finds its pods.

use serde_json::Value;

/// The label that the Job's selector uses. Its value is the uid of the Job.
pub(super) const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// All labels that the API server adds to the template of a Job, with their values.
pub(super) fn of(uid: &Value, name: &Value) -> [(&'static str, Value); 4] {
    [
        (CONTROLLER_UID, uid.clone()),
        ("batch.kubernetes.io/job-name", name.clone()),
        ("controller-uid", uid.clone()),
        ("job-name", name.clone()),
    ]
}
