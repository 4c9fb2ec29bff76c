//! Makes a fault happen.

use std::time::{Duration, Instant};

use e2e::namespace::Problem;
use kube::ResourceExt;

use crate::cluster::Cluster;
use crate::fault::{Fault, Part, Trial};
use crate::web;

/// How long to look for a victim. At some moments there is none, because the driver scales.
const LOOKS_FOR: Duration = Duration::from_secs(3);

/// Makes a fault of the cluster happen, to its end. Faults of the driver and of the disk are the trial's own.
///
/// # Errors
/// It could not happen at this moment, with the reason.
pub(crate) fn strike(cluster: &dyn Cluster, trial: &Trial) -> Result<(), Problem> {
    let victim = |part| victim(cluster, part, trial.choice);
    let namespace = cluster.namespace();
    match trial.fault {
        Fault::Kill(part) => until_done(|| cluster.kill_pod(&victim(part)?)),
        Fault::Delete(part) => until_done(|| namespace.delete_pod(&victim(part)?)),
        Fault::Evict => {
            let part = Part::ALL[trial.choice % Part::ALL.len()];
            until_done(|| namespace.evict_pod(&victim(part)?))
        }
        Fault::Node(fault) => cluster.strike_node(fault, trial.pause),
        Fault::ResetByHand => until_done(|| web::change(cluster, "/stats/reset")),
        Fault::StopByHand => until_done(|| web::change(cluster, "/stop")),
        Fault::None
        | Fault::KillDriver
        | Fault::InterruptDriver
        | Fault::TerminateDriver
        | Fault::FullDisk
        | Fault::SecondDriver => Ok(()),
    }
}

fn victim(cluster: &dyn Cluster, part: Part, choice: usize) -> Result<String, Problem> {
    let labels = part.labels();
    let mut names: Vec<String> =
        cluster.namespace().pods(labels)?.iter().map(ResourceExt::name_any).collect();
    names.sort();
    let chosen = names.get(choice % names.len().max(1));
    chosen.cloned().ok_or_else(|| format!("no pod with {labels}"))
}

fn until_done(mut attempt: impl FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
    let deadline = Instant::now() + LOOKS_FOR;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            ended => return ended,
        }
    }
}
