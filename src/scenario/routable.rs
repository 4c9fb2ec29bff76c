//! Whether the service's address leads to its replicas.
//!
//! A replica that is ready is known to the service's endpoints, but the network follows a moment
//! later: until then requests go to replicas that are gone, and none to new ones.

use std::time::Duration;

use futures::future::join_all;

use super::counts;
use crate::cluster::{PodHttp, PodSummary};
use crate::config::Inference;
use crate::wait::{Condition, TimedOut, poll};

/// As whom the replicas count these requests.
const CALLER: &str = "locust-matrix";

/// Asks the service until every request is answered and every replica has answered one. Replicas
/// without counters of their own are not told apart. From outside the cluster its addresses cannot be
/// asked, and nothing is waited for.
pub(super) async fn await_routable(
    reach: &PodHttp,
    inference: &Inference,
    pods: &[PodSummary],
    limit: Duration,
) -> Result<(), TimedOut> {
    let PodHttp::InsideCluster(client) = reach else { return Ok(()) };
    let url = format!("{}{}", inference.url.trim_end_matches('/'), inference.readiness_path);
    // With 4 requests per replica, one replica of 8 is missed in 1 of 70 rounds; then another round
    // is made.
    let requests = pods.len().max(1) * 4;
    poll(limit, Duration::from_millis(50), || async {
        let before = counts::ask(reach, pods, &inference.metrics, CALLER).await;
        let asked = join_all((0..requests).map(|_| ask(client, &url))).await;
        if let Some(problem) = asked.into_iter().find_map(Result::err) {
            return Condition::NotMet(problem);
        }
        let after = counts::ask(reach, pods, &inference.metrics, CALLER).await;
        let silent = counts::between(&before, after).into_iter().find(|replica| {
            // Its own metrics page counts as a request to it, but to another endpoint.
            let served = replica.requests.as_ref().map(|counts| {
                counts.keys().any(|key| key.starts_with(&format!("{} ", inference.readiness_path)))
            });
            served == Some(false)
        });
        match silent {
            Some(replica) => Condition::NotMet(format!("{} gets no requests", replica.pod)),
            None => Condition::Met(()),
        }
    })
    .await
}

/// Any answer that is not the server's failure has come from a replica: whether it may be used without
/// a password is not asked here.
async fn ask(client: &reqwest::Client, url: &str) -> Result<(), String> {
    let response = client.get(url).send().await.map_err(|error| crate::wait::with_causes(&error))?;
    if response.status().is_server_error() {
        Err(format!("{url} answers {}", response.status()))
    } else {
        Ok(())
    }
}
