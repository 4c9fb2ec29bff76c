//! The status of a Job.

use serde_json::{Value, json};

use crate::object::conditions;
use crate::time::now;

/// Whether the Job is complete or has failed.
pub(super) fn is_finished(job: &Value) -> bool {
    conditions::is_true(job, "Complete") || conditions::is_true(job, "Failed")
}

/// Why a Job has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// How many of a Job's pods are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) active: usize,
    pub(super) ready: usize,
    pub(super) terminating: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
}

/// Writes the counts and conditions. `Complete` and `Failed` are set only after the last pod has ended.
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
    let list = &mut status["conditions"];
    if list.is_null() {
        *list = json!([]);
    }
    let all_ended = counts.active == 0 && counts.terminating == 0;
    if let Some(Failure { reason, message }) = failure {
        add(list, "FailureTarget", reason, message);
        if all_ended {
            add(list, "Failed", reason, message);
        }
    } else if done {
        let message = "Reached expected number of succeeded pods";
        add(list, "SuccessCriteriaMet", "CompletionsReached", message);
        if all_ended {
            add(list, "Complete", "CompletionsReached", message);
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

fn add(list: &mut Value, kind: &str, reason: &str, message: &str) {
    conditions::set(list, kind, "True", reason, message);
    if let Some(condition) = conditions::find_mut(list, kind)
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
    fn a_job_is_complete_only_after_its_last_pod_has_ended() {
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
    fn a_job_has_failed_only_after_its_last_pod_has_ended() {
        let failure = Failure { reason: "DeadlineExceeded", message: "late".into() };
        let mut status = Value::Null;
        write(&mut status, Counts { terminating: 1, ..Counts::default() }, false, Some(&failure));
        assert_eq!(kinds(&status), ["FailureTarget"]);
        write(&mut status, Counts { failed: 1, ..Counts::default() }, false, Some(&failure));
        assert_eq!(kinds(&status), ["FailureTarget", "Failed"]);
        assert!(status["completionTime"].is_null(), "only a successful Job has a completion time");
    }
}
