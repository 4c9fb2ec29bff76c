//! Errors about a Locust that does not reach a state, with advice.

use crate::events::many;
use crate::exit::Error;
use crate::load::Unreached;
use crate::load::snapshot::NO_WORKER;
use crate::objects::{MASTER, MASTER_PODS, WORKER_PODS, WORKERS};
use crate::wait::TimedOut;

/// The error for a state that did not come in time.
pub(super) fn explain(unreached: &Unreached, timed_out: &TimedOut) -> Error {
    match unreached {
        Unreached::Answer => Error::cluster(format!("Locust's master does not answer {timed_out}"))
            .next(if timed_out.last_seen.contains("timed out") {
                // A refused connection fails at once. A time-out means that something drops the packets.
                format!(
                    "its packets may be dropped: does a NetworkPolicy admit this driver to its port 8089? \
                     (locust-matrix deploy --overlay network-policy admits it); see kubectl describe pods -l \
                     {MASTER_PODS}"
                )
            } else {
                format!("look at it with: kubectl describe pods -l {MASTER_PODS}")
            }),
        Unreached::IdleWorkers(workers) => Error::cluster(format!(
            "Locust does not list exactly {} {timed_out}",
            many(*workers, "idle worker")
        ))
        .next(if timed_out.last_seen.contains(NO_WORKER) {
            // Packets that a policy drops are refused by nobody: both sides only wait.
            format!(
                "no worker has reached port 5557 of the master: a NetworkPolicy of this namespace may forbid it \
                 (locust-matrix deploy --overlay network-policy admits it); see kubectl logs -l {WORKER_PODS}"
            )
        } else {
            format!("see whether others connect to this master: kubectl logs deployment/{MASTER}")
        }),
        Unreached::Counts => {
            Error::cluster(format!("not every Locust worker handed over its counts {timed_out}"))
                .next(format!("the workers may be short of CPU; look at: kubectl top pods -l {WORKER_PODS}"))
        }
        Unreached::Stopped => Error::cluster(format!("the load does not stop {timed_out}"))
            .next(format!("restart Locust: kubectl rollout restart deployment {MASTER} {WORKERS}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::exit::ExitCode;
    use crate::load::snapshot::tests::with_workers;
    use crate::load::{Snapshot, State};

    #[test]
    fn every_state_that_did_not_come_is_an_error_of_the_cluster_with_advice() {
        let timed_out = TimedOut { after: Duration::from_secs(9), last_seen: "nothing".into() };
        for (unreached, words, advice) in [
            (Unreached::Answer, "Locust's master does not answer", "app=locust,role=master"),
            (Unreached::IdleWorkers(3), "exactly 3 idle workers", "deployment/locust-master"),
            (Unreached::Counts, "handed over its counts", "app=locust,role=worker"),
            (Unreached::Stopped, "the load does not stop", "deployment locust-master locust-worker"),
        ] {
            let error = explain(&unreached, &timed_out);
            assert_eq!(error.code, ExitCode::Cluster);
            assert!(error.message.contains(words) && error.message.contains("last seen"), "{error}");
            assert!(error.next.as_ref().is_some_and(|next| next.contains(advice)), "{error}");
        }
    }

    #[test]
    fn what_a_policy_may_drop_is_told_with_its_port() {
        let advice = |unreached, last_seen: &str| {
            let timed_out = TimedOut { after: Duration::from_secs(9), last_seen: last_seen.into() };
            explain(&unreached, &timed_out).next.unwrap()
        };
        let next = advice(Unreached::IdleWorkers(3), &Snapshot::empty(0.0, State::Ready).describe());
        assert!(next.contains("port 5557") && next.contains("NetworkPolicy"), "{next}");
        let others = with_workers(State::Ready, &[(State::Ready, 0)]);
        let next = advice(Unreached::IdleWorkers(3), &others.describe());
        assert!(next.contains("whether others connect"), "{next}");
        let next = advice(Unreached::Answer, "error sending request: operation timed out");
        assert!(next.contains("port 8089") && next.contains("NetworkPolicy"), "{next}");
    }
}
