//! What a container said before it crashed.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{ListParams, LogParams};

use super::connection::Cluster;
use crate::secrets::hide_credentials;

/// How many lines of the log are kept.
const LINES: usize = 8;
/// A line is cut after this many characters.
const LONGEST: usize = 400;

/// The end of the log of a container that has crashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWords {
    /// Its pod.
    pub pod: String,
    /// The last lines that are not empty, oldest first; at least one.
    pub lines: Vec<String>,
}

/// The end of the log of a container that has crashed, of a pod that `selector` selects; `None` if none has, or if its
/// log cannot be read.
pub async fn last_words(cluster: &Cluster, selector: &str) -> Option<LastWords> {
    let pods = cluster.api::<Pod>();
    let found = pods.list(&ListParams::default().labels(selector)).await.ok()?;
    for pod in &found.items {
        let Some((container, is_gone)) = crashed(pod) else { continue };
        let name = pod.metadata.name.clone().unwrap_or_default();
        // The container that is gone, or the one that has just ended and was not replaced yet.
        if let Some(log) = log_of_ended(cluster, &name, &container, is_gone).await {
            return Some(LastWords { pod: name, lines: last_lines(&log) });
        }
    }
    None
}

/// The end of the log of a container that has ended: of the one before the last restart first if it is `is_gone`, else
/// of the present one first. `None` if neither has a line that is not empty. Credentials in addresses are hidden, so that
/// the text may be shown.
pub(super) async fn log_of_ended(
    cluster: &Cluster,
    pod: &str,
    container: &str,
    is_gone: bool,
) -> Option<String> {
    for previous in [is_gone, !is_gone] {
        let container = Some(container.to_owned());
        let params = LogParams { container, previous, tail_lines: Some(40), ..LogParams::default() };
        let log = cluster.api::<Pod>().logs(pod, &params).await.unwrap_or_default();
        if !log.trim().is_empty() {
            return Some(hide_credentials(&log));
        }
    }
    None
}

/// The first container of a pod that has ended with an error, and whether another one runs in its place.
fn crashed(pod: &Pod) -> Option<(String, bool)> {
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    let mut all = all.into_iter().flatten().flatten();
    all.find_map(|one: &ContainerStatus| {
        let code = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
            state.as_ref()?.terminated.as_ref().map(|ended| ended.exit_code).filter(|code| *code != 0)
        };
        let is_gone = code(&one.state).is_none();
        code(&one.state).or_else(|| code(&one.last_state)).map(|_| (one.name.clone(), is_gone))
    })
}

fn last_lines(log: &str) -> Vec<String> {
    let mut lines: Vec<String> = log
        .lines()
        .rev()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .take(LINES)
        .map(|line| line.chars().take(LONGEST).collect::<String>())
        .collect();
    lines.reverse();
    lines
}

impl LastWords {
    /// The last line.
    pub fn last_line(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    /// What the user can do about it.
    pub fn next_step(&self) -> String {
        let has = |word: &str| self.last_line().contains(word);
        if has("ModuleNotFoundError") || has("ImportError") || has("FileNotFoundError") {
            "modules and data beside the locustfile are shipped with --locustfile FOLDER; packages need an image of your \
             own: --image locustio/locust=REGISTRY/IMAGE:TAG"
                .to_owned()
        } else if has("SyntaxError") || has("IndentationError") {
            "correct the locustfile; 'locust -f FILE --list' checks it on your machine".to_owned()
        } else {
            format!("read all of its log: kubectl logs {} --previous", self.pod)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(state: &serde_json::Value, last: &serde_json::Value) -> Pod {
        let status = json!({ "name": "locust", "ready": false, "restartCount": 2, "image": "i", "imageID": "i",
                             "state": state, "lastState": last });
        serde_json::from_value(json!({ "status": { "containerStatuses": [status] } })).unwrap()
    }

    #[test]
    fn a_container_that_ended_with_an_error_is_found_also_after_it_was_replaced() {
        let ended = |code: i32| json!({ "terminated": { "exitCode": code } });
        let waits = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        assert_eq!(crashed(&pod(&waits, &ended(1))), Some(("locust".into(), true)));
        assert_eq!(crashed(&pod(&ended(2), &json!({}))), Some(("locust".into(), false)));
        assert_eq!(crashed(&pod(&ended(0), &ended(0))), None);
        assert_eq!(crashed(&pod(&waits, &json!({}))), None);
    }

    #[test]
    fn the_next_step_follows_from_the_last_line() {
        let words = |log: &str| LastWords { pod: "p".into(), lines: last_lines(log) };
        let missing = words("Traceback:\n  File x\nModuleNotFoundError: No module named 'tritonclient'\n\n");
        assert_eq!(missing.last_line(), "ModuleNotFoundError: No module named 'tritonclient'");
        assert!(missing.next_step().contains("--locustfile FOLDER"));
        assert!(
            words("  x = (\nSyntaxError: '(' was never closed")
                .next_step()
                .contains("correct the locustfile")
        );
        assert!(
            words("REQUEST_HEADERS is not a JSON object").next_step().contains("kubectl logs p --previous")
        );
        assert_eq!(words(&"a\n".repeat(50)).lines.len(), LINES);
    }
}
