//! What a run does to the service before its first scenario, and says of it.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, Workload, pause_autoscalers, pods_of, read_workload, refuse_autoscaled};
use crate::config::{Config, WorkloadName};
use crate::events::{Events, Progress};
use crate::exit::Result;
use crate::objects::{MASTER, WORKERS};
use crate::plan::Plan;
use crate::record::OriginalReplicas;
use crate::scenario::limits;

/// Pods that take longer to leave are worth a word, s. It is Kubernetes' default.
const TOLD_ABOVE: i64 = 30;

/// Says that an earlier run was killed, and what is put back in its place.
pub(super) fn tell_of_killed_run(inference: &Workload, original: OriginalReplicas, events: &Events) {
    let OriginalReplicas { inference: replicas, workers } = original;
    events.tell(Progress::note(format!(
        "an earlier run was killed before it put the replicas back; this one puts back what that one found: \
         {} {replicas}, {WORKERS} {workers}",
        inference.name
    )));
}

/// Pauses the service's autoscaler if the user has asked for it, else refuses a service that has one.
pub(super) async fn settle_autoscalers(
    cluster: &Cluster,
    target: &Workload,
    pauses: bool,
    config: &Config,
    plan: &dyn Plan,
    events: &Events,
) -> Result<()> {
    if !pauses {
        return refuse_autoscaled(cluster, target, events).await;
    }
    let planned = plan.scenarios().into_iter().flatten().map(|scenario| scenario.replicas);
    let most = planned.chain(config.replicas.iter().copied()).max().unwrap_or(1);
    for name in pause_autoscalers(cluster, target, most).await? {
        events.tell(Progress::note(format!("{name} is paused until the end of the run")));
    }
    Ok(())
}

/// Tells of times that the service itself sets, and that scenarios have to wait for.
pub(super) fn tell_slow_pods(service: &Workload, config: &Config, events: &Events) {
    let (name, grace) = (service.describe(), service.grace.as_secs());
    if grace > TOLD_ABOVE && config.replicas.len() > 1 {
        events.tell(Progress::note(format!(
            "pods of {name} may take {grace} s to leave (terminationGracePeriodSeconds); after a scenario with more \
             replicas, the next one waits for them"
        )));
    }
    let min_ready = service.min_ready.as_secs();
    if min_ready > 0 && service.one_by_one {
        events.tell(Progress::note(format!(
            "{name} starts its pods one by one, each {min_ready} s after the one before is ready (minReadySeconds)"
        )));
    } else if min_ready > 0 {
        events.tell(Progress::note(format!(
            "{name} counts a pod as available {min_ready} s after it is ready (minReadySeconds); the service routes \
             to it at once, and so it is measured without waiting for that"
        )));
    }
}

/// The limits of Locust's master, for the records. They are no reason to end a run that may not read them.
pub(super) async fn limits_of_master(cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let read = async {
        let master = read_workload(cluster, &WorkloadName::deployment(MASTER)).await?;
        pods_of(cluster, &master).await
    };
    Ok(read.await.map(|pods| limits(&pods)).unwrap_or_default())
}
