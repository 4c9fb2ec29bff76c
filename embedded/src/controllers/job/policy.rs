//! What a failed pod means for its Job: the failure policy, and the back-off.

use std::time::Duration;

use serde_json::Value;

use crate::object::conditions;
use crate::object::metadata::meta;

/// The consequence of a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts towards `backoffLimit`.
    Count,
    /// It does not count.
    Ignore,
    /// The Job fails, with this message.
    FailJob(String),
}

/// Applies the pod failure policy: the first rule that matches decides.
pub(super) fn judge(policy: &Value, pod: &Value) -> Verdict {
    let rules = policy["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        let Some(why) = by_exit_code(&rule["onExitCodes"], pod).or_else(|| by_condition(rule, pod)) else {
            continue;
        };
        return match rule["action"].as_str() {
            Some("FailJob") => Verdict::FailJob(format!("{why} matching FailJob rule at index {index}")),
            Some("Ignore") => Verdict::Ignore,
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

fn by_exit_code(requirement: &Value, pod: &Value) -> Option<String> {
    let values = requirement["values"].as_array()?;
    let name = requirement["containerName"].as_str();
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    statuses.iter().filter(|status| name.is_none_or(|name| status["name"] == name)).find_map(|status| {
        let code = status["state"]["terminated"]["exitCode"].as_i64().filter(|code| *code != 0)?;
        let listed = values.iter().any(|value| value.as_i64() == Some(code));
        let matches = match requirement["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            _ => false,
        };
        let container = status["name"].as_str().unwrap_or_default();
        let pod = format!("{}/{}", meta(pod, "namespace"), meta(pod, "name"));
        matches.then(|| format!("Container {container} for pod {pod} failed with exit code {code}"))
    })
}

fn by_condition(rule: &Value, pod: &Value) -> Option<String> {
    rule["onPodConditions"].as_array()?.iter().find_map(|pattern| {
        let kind = pattern["type"].as_str()?;
        let wanted = pattern["status"].as_str().unwrap_or("True");
        let condition = conditions::of_object(pod, kind)?;
        let pod = format!("{}/{}", meta(pod, "namespace"), meta(pod, "name"));
        (condition["status"] == wanted).then(|| format!("Pod {pod} has condition {kind}"))
    })
}

/// The time between the last failure and the next pod: 10 s, doubled with each failure, at most 10 min.
pub(super) fn back_off(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        _ => Duration::from_secs(10_u64.saturating_mul(1 << (failures - 1).min(10)).min(600)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(code: i64) -> Value {
        json!({
            "metadata": { "name": "p", "namespace": "n" },
            "status": { "containerStatuses": [
                { "name": "driver", "state": { "terminated": { "exitCode": code } } }
            ] },
        })
    }

    fn policy() -> Value {
        json!({ "rules": [
            { "action": "FailJob",
              "onExitCodes": { "containerName": "driver", "operator": "In", "values": [1, 3] } },
            { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget" }] },
        ] })
    }

    #[test]
    fn an_exit_code_in_a_rule_fails_the_job_with_kubernetes_message() {
        let message = "Container driver for pod n/p failed with exit code 3 matching FailJob rule at index 0";
        assert_eq!(judge(&policy(), &pod(3)), Verdict::FailJob(message.into()));
        assert_eq!(judge(&policy(), &pod(4)), Verdict::Count);
        assert_eq!(judge(&Value::Null, &pod(3)), Verdict::Count);
    }

    #[test]
    fn a_rule_ignores_the_exit_codes_of_other_containers() {
        let mut pod = pod(3);
        pod["status"]["containerStatuses"][0]["name"] = json!("other");
        assert_eq!(judge(&policy(), &pod), Verdict::Count);
    }

    #[test]
    fn a_rule_can_ignore_disruptions() {
        let mut pod = pod(4);
        pod["status"]["conditions"] = json!([{ "type": "DisruptionTarget", "status": "True" }]);
        assert_eq!(judge(&policy(), &pod), Verdict::Ignore);
    }

    #[test]
    fn each_failure_doubles_the_back_off_up_to_ten_minutes() {
        let delays: Vec<u64> = (0..9).map(|failures| back_off(failures).as_secs()).collect();
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
    }
}
