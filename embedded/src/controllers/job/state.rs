//! A Job's status, as Kubernetes 1.34 writes it.

use serde_json::{Value, json};

use crate::object::{holds, set_condition};
use crate::store::now;

/// Complete or failed, and all of it said.
pub(super) fn is_over(job: &Value) -> bool {
    holds(job, "Complete") || holds(job, "Failed")
}

/// Why a Job has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What is counted of a Job's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) active: usize,
    pub(super) ready: usize,
    pub(super) terminating: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
}

/// Writes counts and, once it is over, the end. A failed Job says so only when its last pod has gone.
pub(super) fn write(status: &mut Value, counts: Counts, done: bool, failure: Option<&Failure>) {
    if !status.is_object() {
        *status = json!({});
    }
    if status["startTime"].is_null() {
        status["startTime"] = json!(now());
    }
    status["uncountedTerminatedPods"] = json!({});
    for (field, count) in [("ready", counts.ready), ("terminating", counts.terminating)] {
        status[field] = json!(count);
    }
    for (field, count) in
        [("active", counts.active), ("succeeded", counts.succeeded), ("failed", counts.failed)]
    {
        if count > 0 {
            status[field] = json!(count);
        } else if let Some(status) = status.as_object_mut() {
            status.remove(field);
        }
    }
    let conditions = &mut status["conditions"];
    if conditions.is_null() {
        *conditions = json!([]);
    }
    let nothing_left = counts.active == 0 && counts.terminating == 0;
    if let Some(Failure { reason, message }) = failure {
        end(conditions, "FailureTarget", reason, message);
        if nothing_left {
            end(conditions, "Failed", reason, message);
        }
    } else if done {
        let message = "Reached expected number of succeeded pods";
        end(conditions, "SuccessCriteriaMet", "CompletionsReached", message);
        if nothing_left {
            end(conditions, "Complete", "CompletionsReached", message);
            if status["completionTime"].is_null() {
                status["completionTime"] = json!(now());
            }
        }
    }
    if status["conditions"].as_array().is_some_and(Vec::is_empty)
        && let Some(status) = status.as_object_mut()
    {
        status.remove("conditions");
    }
}

fn end(conditions: &mut Value, kind: &str, reason: &str, message: &str) {
    set_condition(conditions, kind, "True", reason, message);
    let condition =
        conditions.as_array_mut().into_iter().flatten().find(|condition| condition["type"] == kind);
    if let Some(condition) = condition
        && condition["lastProbeTime"].is_null()
    {
        condition["lastProbeTime"] = json!(now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(status: &Value) -> Vec<&str> {
        let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        conditions.iter().filter_map(|condition| condition["type"].as_str()).collect()
    }

    #[test]
    fn success_is_met_before_it_is_complete() {
        let mut status = Value::Null;
        write(&mut status, Counts { active: 1, ready: 1, ..Counts::default() }, false, None);
        assert_eq!((status["active"].as_i64(), kinds(&status).len()), (Some(1), 0));
        write(&mut status, Counts { succeeded: 1, terminating: 1, ..Counts::default() }, true, None);
        assert_eq!(kinds(&status), ["SuccessCriteriaMet"]);
        write(&mut status, Counts { succeeded: 1, ..Counts::default() }, true, None);
        assert_eq!(kinds(&status), ["SuccessCriteriaMet", "Complete"]);
        assert!(status["completionTime"].is_string() && status["active"].is_null());
    }

    #[test]
    fn a_failure_is_said_when_the_last_pod_is_gone() {
        let failure = Failure { reason: "DeadlineExceeded", message: "late".into() };
        let mut status = Value::Null;
        write(&mut status, Counts { terminating: 1, ..Counts::default() }, false, Some(&failure));
        assert_eq!(kinds(&status), ["FailureTarget"]);
        write(&mut status, Counts { failed: 1, ..Counts::default() }, false, Some(&failure));
        assert_eq!(kinds(&status), ["FailureTarget", "Failed"]);
        assert!(status["completionTime"].is_null(), "only success has one");
    }
}
