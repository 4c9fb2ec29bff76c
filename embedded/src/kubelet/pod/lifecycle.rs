//! The lifecycle of a pod on this node: from the creation of its folder to its removal.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::change::NextChange;
use super::record::Pod;
use super::runner::Runner;
use crate::kinds;
use crate::kubelet::container::{service_names, volumes};
use crate::object::metadata::{is_terminating, number};

/// What the API says about a pod.
#[derive(Clone, Debug)]
pub(crate) enum Desired {
    /// The pod exists, in this state.
    Present(Arc<Value>),
    /// The pod was deleted without waiting for the end of its processes.
    Gone,
}

/// Runs a pod until its processes have ended and its files are removed.
pub(crate) async fn run(pod: Arc<Pod>, mut desired: watch::Receiver<Desired>) {
    let (kill_time, kill_time_receiver) = watch::channel(None);
    let mut running = JoinSet::new();
    let mut started = false;
    loop {
        let now = desired.borrow_and_update().clone();
        schedule_kill(&pod, &now, &kill_time);
        let finished = pod.containers().iter().all(|container| container.finished);
        match now {
            Desired::Gone if running.is_empty() => break,
            Desired::Present(object) if is_terminating(&object) && (finished || !started) => {
                pod.finish_unstarted();
                break;
            }
            _ => {}
        }
        tokio::select! {
            changed = desired.changed() => if changed.is_err() { break },
            Some(ended) = running.join_next() => if let Err(panic) = ended.map_err(JoinError::into_panic) {
                // A container without its task would never end.
                std::panic::resume_unwind(panic);
            },
            () = prepare_volumes(&pod), if !started => {
                started = true;
                for index in 0..pod.containers().len() {
                    let runner = Runner { pod: Arc::clone(&pod), index, kill_time: kill_time_receiver.clone() };
                    running.spawn(runner.run());
                }
            }
        }
    }
    running.shutdown().await;
    let _ = std::fs::remove_dir_all(&pod.folder);
    if matches!(*desired.borrow(), Desired::Gone) {
        pod.set_gone();
    } else {
        pod.remove_from_store();
    }
}

/// If the pod is to end, sets the time at which its processes are killed. A later time never replaces an
/// earlier one.
fn schedule_kill(pod: &Pod, desired: &Desired, kill_time: &watch::Sender<Option<Instant>>) {
    let kill_at = match desired {
        Desired::Gone => {
            pod.set_gone();
            Instant::now()
        }
        Desired::Present(object) if is_terminating(object) => {
            let grace_period = number(object, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
            Instant::now() + Duration::from_secs(grace_period.unsigned_abs())
        }
        Desired::Present(_) => return,
    };
    kill_time.send_if_modified(|known| {
        let is_sooner = known.is_none_or(|known| kill_at < known);
        if is_sooner {
            *known = Some(kill_at);
        }
        is_sooner
    });
}

/// Creates the volumes, as soon as all ConfigMaps and Secrets for them exist.
async fn prepare_volumes(pod: &Pod) {
    pod.publish();
    let shared = &pod.shared;
    loop {
        let change = NextChange::watch(&shared.store, &[&kinds::CONFIG_MAPS, &kinds::SECRETS]);
        let names =
            service_names::substitution(&shared.store, &shared.addresses, pod.namespace(), pod.address);
        match volumes::prepare(&shared.store, &pod.object, &pod.folder.join("volumes"), &names) {
            Ok(volumes) => {
                pod.set_volumes(volumes);
                return;
            }
            Err(problem) => pod.warning("FailedMount", &problem),
        }
        change.wait().await;
    }
}
