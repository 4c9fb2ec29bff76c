//! The state of a pod, as `kubectl get pods` shows it.

use serde_json::Value;

use super::age::between;

/// The columns Ready, Status and Restarts.
pub(crate) fn state(pod: &Value) -> (String, String, String) {
    let total = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let statuses = pod["status"]["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let restarts: i64 = statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let last = statuses
        .iter()
        .filter_map(|status| status["lastState"]["terminated"]["finishedAt"].as_str())
        .max()
        .and_then(|last| between(&Value::from(last), None));
    let restarts = match last {
        Some(last) if restarts > 0 => format!("{restarts} ({last} ago)"),
        _ => restarts.to_string(),
    };
    (format!("{ready}/{total}"), status(pod, statuses), restarts)
}

fn status(pod: &Value, statuses: &[Value]) -> String {
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating".into();
    }
    let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
    let mut shown = pod["status"]["reason"].as_str().unwrap_or(phase).to_owned();
    let mut running = false;
    for container in statuses.iter().rev() {
        let state = &container["state"];
        let ended = &state["terminated"];
        if let Some(reason) = state["waiting"]["reason"].as_str() {
            shown = reason.into();
        } else if let Some(reason) = ended["reason"].as_str() {
            shown = reason.into();
        } else if ended.is_object() {
            let signal = ended["signal"].as_i64().unwrap_or_default();
            let code = ended["exitCode"].as_i64().unwrap_or_default();
            shown = if signal == 0 { format!("ExitCode:{code}") } else { format!("Signal:{signal}") };
        } else if container["ready"] == true {
            running = true;
        }
    }
    if shown == "Completed" && running { "Running".into() } else { shown }
}
