//! Saves pods, events and logs after a failure, before the cluster is deleted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::node::Node;
use crate::folders;
use crate::run::Session;
use crate::run::command::Cmd;

/// For each command: nobody should wait minutes for logs.
const DEADLINE: Duration = Duration::from_secs(20);

/// The name of the folder for them, beside the results.
pub(super) const FOLDER: &str = "failure";

/// Saves pods, events and logs below this folder. What cannot be read is left out, because the failure before
/// it is the one to report.
pub(super) async fn save(session: &Session, node: &Node, folder: &Path) -> Option<PathBuf> {
    let folder = folder.join(FOLDER);
    folders::create(&folder).ok()?;
    let logs = |label: &str| {
        let kubectl = node.kubectl().args(["logs", "--all-containers", "--prefix"]);
        kubectl.args(["--ignore-errors", "--tail=2000", "-l", label])
    };
    let step = session.progress.begin("save pods, events and logs");
    let pods = node.kubectl().args(["get", "pods,events", "-A", "-o", "wide"]);
    let described = node.kubectl().args(["describe", "pods", "-A"]);
    let nodes = node.kubectl().args(["describe", "nodes"]);
    tokio::join!(
        save_output(session, &folder, "pods-and-events.txt", pods),
        save_output(session, &folder, "describe-pods.txt", described),
        save_output(session, &folder, "describe-nodes.txt", nodes),
        save_output(session, &folder, "logs-locust.txt", logs("app=locust")),
        save_output(session, &folder, "logs-inference.txt", logs("app=inference")),
    );
    session.progress.end(step, true);
    Some(folder)
}

async fn save_output(session: &Session, folder: &Path, name: &str, command: Cmd) {
    if let Ok(done) = command.deadline(DEADLINE).run(session).await {
        let text = if done.success() { done.stdout } else { done.stdout + &done.tail };
        let _ = folders::write(&folder.join(name), text.as_bytes());
    }
}
