//! Whether the Service routes requests to its replicas.
//!
//! A ready replica is in the Service's endpoints at once, but the network rules follow a moment later. Until
//! then, requests still go to replicas that are gone, and none to new ones.

use std::time::Duration;

use futures::future::join_all;

use super::counts;
use crate::cluster::{PodHttp, PodSummary};
use crate::config::Inference;
use crate::http::PRODUCT;
use crate::wait::{Condition, Tell, TimedOut, poll};

/// Sends requests to the Service until all of them are answered and every replica has answered one. If a
/// replica has no counter, it is taken to have answered. From outside the cluster the Service cannot be reached,
/// so this returns at once.
pub(super) async fn await_routable(
    reach: &PodHttp,
    inference: &Inference,
    pods: &[PodSummary],
    limit: Duration,
    tell: &Tell<'_>,
) -> Result<(), TimedOut> {
    let PodHttp::InsideCluster(client) = reach else { return Ok(()) };
    let url = format!("{}{}", inference.url.trim_end_matches('/'), inference.readiness_path);
    // With 4 requests per replica, a round misses one of 8 replicas in 1 of 70 cases; another round follows.
    let requests = pods.len().max(1) * 4;
    poll(limit, Duration::from_millis(50), tell, || async {
        let before = counts::read(reach, pods, &inference.metrics, PRODUCT).await;
        let answers = join_all((0..requests).map(|_| send(client, &url))).await;
        if let Some(problem) = answers.into_iter().find_map(Result::err) {
            return Condition::NotMet(problem);
        }
        let after = counts::read(reach, pods, &inference.metrics, PRODUCT).await;
        let without_requests = counts::difference(pods, &before, &after).into_iter().find(|replica| {
            // Reading the metrics is a request, too, but to another endpoint.
            let served = replica.requests.as_ref().map(|counts| {
                counts.keys().any(|key| key.starts_with(&format!("{} ", inference.readiness_path)))
            });
            served == Some(false)
        });
        match without_requests {
            Some(replica) => Condition::NotMet(format!("{} gets no requests", replica.pod)),
            None => Condition::Met(()),
        }
    })
    .await
}

/// Every answer without a server error comes from a replica, even if it asks for a password.
async fn send(client: &reqwest::Client, url: &str) -> Result<(), String> {
    let response = client.get(url).send().await.map_err(|error| crate::wait::with_causes(&error))?;
    if response.status().is_server_error() {
        Err(format!("{url} answers {}", response.status()))
    } else {
        Ok(())
    }
}
