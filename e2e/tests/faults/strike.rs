//! Makes a fault happen.

use std::time::{Duration, Instant};

use e2e::embedded::{EmbeddedCluster, Problem};
use kube::ResourceExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::fault::{Fault, Trial};
use crate::web;

const MASTER: &str = "app=locust,role=master";
const WORKERS: &str = "app=locust,role=worker";
const REPLICAS: &str = "app=inference";
/// How long to look for a victim. At some moments there is none, because the driver scales.
const LOOKS_FOR: Duration = Duration::from_secs(3);

/// Makes a fault of the cluster happen, to its end. Faults of the driver and of the disk are the trial's own.
///
/// # Errors
/// It could not happen at this moment, with the reason.
pub(crate) fn strike(cluster: &EmbeddedCluster, trial: &Trial) -> Result<(), Problem> {
    let kill = |labels| {
        until_done(|| {
            let processes = cluster.processes_of(&victim(cluster, labels, trial.choice)?);
            if processes.is_empty() {
                return Err(format!("no process of a pod with {labels}"));
            }
            signal_all(&processes, Signal::KILL);
            Ok(())
        })
    };
    let delete = |labels| until_done(|| cluster.delete_pod(&victim(cluster, labels, trial.choice)?));
    match trial.fault {
        Fault::KillMaster => kill(MASTER),
        Fault::KillWorker => kill(WORKERS),
        Fault::KillReplica => kill(REPLICAS),
        Fault::DeleteMaster => delete(MASTER),
        Fault::DeleteWorker => delete(WORKERS),
        Fault::DeleteReplica => delete(REPLICAS),
        Fault::PauseCluster => {
            pause(cluster, &[], trial.pause);
            Ok(())
        }
        Fault::PauseNode => {
            pause(cluster, &cluster.pod_processes(), trial.pause);
            Ok(())
        }
        Fault::ResetByHand => until_done(|| web::get(cluster, "/stats/reset").map(drop)),
        Fault::StopByHand => until_done(|| web::get(cluster, "/stop").map(drop)),
        Fault::KillCluster => {
            cluster.signal(Signal::KILL);
            Ok(())
        }
        Fault::None
        | Fault::KillDriver
        | Fault::InterruptDriver
        | Fault::TerminateDriver
        | Fault::FullDisk
        | Fault::SecondDriver => Ok(()),
    }
}

fn victim(cluster: &EmbeddedCluster, labels: &str, choice: usize) -> Result<String, Problem> {
    let mut names: Vec<String> = cluster.pods(labels)?.iter().map(ResourceExt::name_any).collect();
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

fn pause(cluster: &EmbeddedCluster, pods: &[Pid], length: Duration) {
    // The cluster first. Otherwise its probes would find its pods stopped.
    cluster.signal(Signal::STOP);
    signal_all(pods, Signal::STOP);
    std::thread::sleep(length);
    signal_all(pods, Signal::CONT);
    cluster.signal(Signal::CONT);
}

fn signal_all(processes: &[Pid], signal: Signal) {
    for process in processes {
        // An error means that it has ended.
        let _ = kill_process(*process, signal);
    }
}
