//! What the end of a pod means for its Job.

use std::time::Duration;

use serde_json::Value;

use crate::object::{condition, meta};

/// What a failed pod comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One more of the failures that `backoffLimit` allows.
    Count,
    /// Not a failure.
    Ignore,
    /// The Job has failed; in words, why.
    FailJob(String),
}

/// The first rule of the pod failure policy that fits decides.
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
        let fits = match requirement["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            _ => false,
        };
        let container = status["name"].as_str().unwrap_or_default();
        let pod = format!("{}/{}", meta(pod, "namespace"), meta(pod, "name"));
        fits.then(|| format!("Container {container} for pod {pod} failed with exit code {code}"))
    })
}

fn by_condition(rule: &Value, pod: &Value) -> Option<String> {
    rule["onPodConditions"].as_array()?.iter().find_map(|pattern| {
        let kind = pattern["type"].as_str()?;
        let wanted = pattern["status"].as_str().unwrap_or("True");
        let found = condition(pod, kind)?;
        let pod = format!("{}/{}", meta(pod, "namespace"), meta(pod, "name"));
        (found["status"] == wanted).then(|| format!("Pod {pod} has condition {kind}"))
    })
}

/// How long after the last failure the next pod is made: 10 s, doubled with each failure, at most 10 min.
pub(super) fn pause(failures: u32) -> Duration {
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
    fn a_listed_code_fails_the_job_in_the_words_of_kubernetes() {
        let words = "Container driver for pod n/p failed with exit code 3 matching FailJob rule at index 0";
        assert_eq!(judge(&policy(), &pod(3)), Verdict::FailJob(words.into()));
        assert_eq!(judge(&policy(), &pod(4)), Verdict::Count);
        assert_eq!(judge(&Value::Null, &pod(3)), Verdict::Count);
    }

    #[test]
    fn another_container_s_code_is_none_of_the_rule_s() {
        let mut pod = pod(3);
        pod["status"]["containerStatuses"][0]["name"] = json!("other");
        assert_eq!(judge(&policy(), &pod), Verdict::Count);
    }

    #[test]
    fn a_disruption_is_nobody_s_failure() {
        let mut pod = pod(4);
        pod["status"]["conditions"] = json!([{ "type": "DisruptionTarget", "status": "True" }]);
        assert_eq!(judge(&policy(), &pod), Verdict::Ignore);
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_ten_minutes() {
        let pauses: Vec<u64> = (0..9).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
    }
}
