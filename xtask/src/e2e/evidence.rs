//! The scene as it was when something failed, kept before it is cleaned up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::node::Node;
use crate::folders;
use crate::run::Session;
use crate::run::command::Cmd;

/// Evidence is worth some seconds, not minutes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Save pods, events and logs below this folder. What cannot be had is left out: the
/// failure that brought us here is the news.
pub(super) async fn keep(session: &Session, node: &Node, folder: &Path) -> Option<PathBuf> {
    let folder = folder.join("wreck");
    folders::create(&folder).ok()?;
    let logs = |label: &str| {
        let kubectl = node.kubectl().args(["logs", "--all-containers", "--prefix"]);
        kubectl.args(["--ignore-errors", "--tail=2000", "-l", label])
    };
    let step = session.progress.begin("keep pods, events and logs");
    let pods = node.kubectl().args(["get", "pods,events", "-A", "-o", "wide"]);
    let described = node.kubectl().args(["describe", "pods", "-A"]);
    let nodes = node.kubectl().args(["describe", "nodes"]);
    tokio::join!(
        save(session, &folder, "pods-and-events.txt", pods),
        save(session, &folder, "describe-pods.txt", described),
        save(session, &folder, "describe-nodes.txt", nodes),
        save(session, &folder, "logs-locust.txt", logs("app=locust")),
        save(session, &folder, "logs-inference.txt", logs("app=inference")),
    );
    session.progress.end(step, true);
    Some(folder)
}

async fn save(session: &Session, folder: &Path, name: &str, command: Cmd) {
    if let Ok(done) = command.deadline(DEADLINE).run(session).await {
        let text = if done.success() { done.stdout } else { done.stdout + &done.tail };
        let _ = folders::write(&folder.join(name), text.as_bytes());
    }
}
