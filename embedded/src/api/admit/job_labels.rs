//! The labels by which a Job finds its pods.

use serde_json::Value;

/// The label that the Job's selector uses. Its value is the uid of the Job.
pub(super) const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// All labels that the API server adds to the template of a Job.
pub(super) const ALL: [&str; 4] =
    [CONTROLLER_UID, "batch.kubernetes.io/job-name", "controller-uid", "job-name"];

/// The labels of a Job with this uid and name, with their values.
pub(super) fn of(uid: &Value, name: &Value) -> impl Iterator<Item = (&'static str, Value)> {
    ALL.into_iter().zip([uid.clone(), name.clone(), uid.clone(), name.clone()])
}
