//! Sees to it that names are resolved in a new cluster.
//!
//! CoreDNS may start before kube-proxy has written its first rules. The packets of its first connection to the API
//! server are lost then, and client-go gives such a connection 30 s (the timeout of its dialer) before it tries again.
//! Until then no Service has a name. New pods connect at once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::node::Node;
use crate::failure::Failure;
use crate::run::Session;

/// CoreDNS waits for 5 s for the API server; with a connection, it is ready within them.
const READY_WITHIN: Duration = Duration::from_secs(5);
const NEW_PODS_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(300);

const PODS: [&str; 4] =
    ["pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns", "--ignore-not-found"];
const READY: &str = "--output=jsonpath={range .items[*]}{.status.containerStatuses[*].ready}{\"\\n\"}{end}";

/// Replaces the pods of CoreDNS once if none is ready after some seconds. If that does not help, it is not an
/// error here: a later step that cannot resolve a name reports it.
pub(super) async fn wait(session: &Session, node: &Node) -> Result<(), Failure> {
    if session.unless_stopped(is_ready(node, READY_WITHIN)).await? {
        return Ok(());
    }
    session.progress.timed_line("CoreDNS has no connection to the API server yet; replacing its pods");
    let delete = node.kubectl().arg("delete").args(PODS).arg("--wait=false");
    delete.deadline(NEW_PODS_WITHIN).run(session).await?;
    session.unless_stopped(is_ready(node, NEW_PODS_WITHIN)).await?;
    Ok(())
}

async fn is_ready(node: &Node, within: Duration) -> Result<bool, Failure> {
    let by = Instant::now() + within;
    let argv = [&["get"], &PODS[..], &[READY]].concat();
    loop {
        // Without an answer, the next one is awaited.
        if node.ask(&argv).await.is_some_and(|answer| is_any_ready(&answer)) {
            return Ok(true);
        }
        if Instant::now() > by {
            return Ok(false);
        }
        sleep(POLL).await;
    }
}

/// Whether the answer has a pod whose container is ready: names are resolved from then on.
fn is_any_ready(answer: &str) -> bool {
    answer.lines().any(|line| line.trim() == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ready_pod_resolves_names() {
        assert!(is_any_ready("false\ntrue\n"));
        assert!(!is_any_ready("false\nfalse\n"));
        assert!(!is_any_ready(""), "a pod without a container that runs");
    }
}
