//! The kinds of faults, and the trials that a seed draws from them.

use std::time::Duration;

use crate::random::Random;

/// A part of a run that has pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Master,
    Worker,
    Replica,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Master, Self::Worker, Self::Replica];

    /// What selects its pods.
    pub(crate) fn labels(self) -> &'static str {
        match self {
            Self::Master => "app=locust,role=master",
            Self::Worker => "app=locust,role=worker",
            Self::Replica => "app=inference",
        }
    }
}

/// What happens to the node or to its own processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NodeFault {
    /// The API server's process is stopped (SIGSTOP) and continued. In an embedded cluster, this stops its services and
    /// its kubelet, too.
    ApiAway,
    /// Every process of the node stands still.
    Paused,
    /// The API server's process is killed.
    KillApi,
    /// The kubelet is stopped and started again. Pods run on.
    KubeletStopped,
    /// The node has no network to the outside, where the driver is.
    NetworkCut,
    /// The embedded cluster's process is killed, with its pods and objects. The run is resumed in a new cluster.
    KillCluster,
}

/// What happens during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nothing: shows that the checks themselves find nothing.
    None,
    KillDriver,
    InterruptDriver,
    TerminateDriver,
    /// A pod's processes are killed.
    Kill(Part),
    /// A pod is deleted through the API.
    Delete(Part),
    /// A pod of any part is evicted.
    Evict,
    Node(NodeFault),
    FullDisk,
    SecondDriver,
    ResetByHand,
    StopByHand,
}

impl Fault {
    /// The kinds that strike the driver or a pod.
    const OF_PROCESSES: [Self; 10] = [
        Self::KillDriver,
        Self::InterruptDriver,
        Self::TerminateDriver,
        Self::Kill(Part::Master),
        Self::Kill(Part::Worker),
        Self::Kill(Part::Replica),
        Self::Delete(Part::Master),
        Self::Delete(Part::Worker),
        Self::Delete(Part::Replica),
        Self::Evict,
    ];

    /// The kinds that come from outside.
    const FROM_OUTSIDE: [Self; 4] = [Self::FullDisk, Self::SecondDriver, Self::ResetByHand, Self::StopByHand];

    /// Whether this fault may erase counts: those that a replica keeps in memory, or those of Locust.
    pub(crate) const fn forgets_counts(self) -> bool {
        matches!(
            self,
            Self::Kill(Part::Replica)
                | Self::Delete(Part::Replica)
                | Self::Evict
                | Self::Node(_)
                | Self::ResetByHand
        )
    }

    /// Every kind that is drawn on embedded clusters.
    pub(crate) fn on_embedded() -> Vec<Self> {
        Self::with(&[NodeFault::ApiAway, NodeFault::Paused, NodeFault::KillCluster])
    }

    /// Every kind that is drawn on kind.
    pub(crate) fn on_kind() -> Vec<Self> {
        Self::with(&[
            NodeFault::ApiAway,
            NodeFault::Paused,
            NodeFault::KillApi,
            NodeFault::KubeletStopped,
            NodeFault::NetworkCut,
        ])
    }

    /// Every kind, with these faults of the node. A seed draws the same trials as long as the order is the same.
    fn with(of_node: &[NodeFault]) -> Vec<Self> {
        let of_node = of_node.iter().map(|fault| Self::Node(*fault));
        Self::OF_PROCESSES.into_iter().chain(of_node).chain(Self::FROM_OUTSIDE).collect()
    }

    /// The kinds of the small set, which every change has to pass: one for each part that can fail.
    pub(crate) const SMALL: [Self; 7] = [
        Self::KillDriver,
        Self::TerminateDriver,
        Self::Delete(Part::Master),
        Self::Kill(Part::Worker),
        Self::Kill(Part::Replica),
        Self::Node(NodeFault::Paused),
        Self::SecondDriver,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no fault",
            Self::KillDriver => "driver: SIGKILL",
            Self::InterruptDriver => "driver: SIGINT",
            Self::TerminateDriver => "driver: SIGTERM",
            Self::Kill(Part::Master) => "master: SIGKILL",
            Self::Kill(Part::Worker) => "worker: SIGKILL",
            Self::Kill(Part::Replica) => "replica: SIGKILL",
            Self::Delete(Part::Master) => "master: pod deleted",
            Self::Delete(Part::Worker) => "worker: pod deleted",
            Self::Delete(Part::Replica) => "replica: pod deleted",
            Self::Evict => "pod evicted",
            Self::Node(NodeFault::ApiAway) => "API server away",
            Self::Node(NodeFault::Paused) => "node paused",
            Self::Node(NodeFault::KillApi) => "API server: SIGKILL",
            Self::Node(NodeFault::KubeletStopped) => "kubelet stopped",
            Self::Node(NodeFault::NetworkCut) => "network cut",
            Self::Node(NodeFault::KillCluster) => "cluster: SIGKILL",
            Self::FullDisk => "disk full",
            Self::SecondDriver => "second driver",
            Self::ResetByHand => "reset by hand",
            Self::StopByHand => "load stopped by hand",
        }
    }
}

/// One run with one fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trial {
    /// From 1; 0 for the runs without a fault.
    pub(crate) number: usize,
    pub(crate) fault: Fault,
    /// When it happens, as a share of the time that an undisturbed run takes.
    pub(crate) moment: f64,
    /// How long a pause lasts.
    pub(crate) pause: Duration,
    /// Chooses among several pods.
    pub(crate) choice: usize,
}

impl Trial {
    /// A run that nothing disturbs.
    pub(crate) fn undisturbed() -> Self {
        Self { number: 0, fault: Fault::None, moment: 0.0, pause: Duration::ZERO, choice: 0 }
    }
}

/// Draws `count` trials. Every kind comes equally often, give or take one, in a random order.
pub(crate) fn draw(seed: u64, count: usize, kinds: &[Fault]) -> Vec<Trial> {
    let mut random = Random::new(seed, 0);
    let mut faults = Vec::new();
    while faults.len() < count {
        let mut deck = kinds.to_vec();
        random.shuffle(&mut deck);
        faults.extend(deck);
    }
    faults.truncate(count);
    let trial = |(number, fault): (usize, Fault)| {
        // A stream of its own, so that a trial does not depend on the others.
        let mut random = Random::new(seed, number as u64);
        let moment = random.share();
        // A second driver is most dangerous when both start together.
        let at_start = fault == Fault::SecondDriver && random.share() < 0.5;
        Trial {
            number,
            fault,
            moment: if at_start { 0.0 } else { moment },
            pause: Duration::from_secs_f64(2.0 + 18.0 * random.share()),
            choice: random.below(1000),
        }
    };
    (1..).zip(faults).map(trial).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_trials_again_and_another_seed_gives_others() {
        assert_eq!(draw(7, 40, &Fault::on_embedded()), draw(7, 40, &Fault::on_embedded()));
        assert_ne!(draw(7, 40, &Fault::on_embedded()), draw(8, 40, &Fault::on_embedded()));
    }

    #[test]
    fn every_kind_comes_equally_often_and_moments_lie_within_the_run() {
        let trials = draw(1, 120, &Fault::on_embedded());
        for fault in Fault::on_embedded() {
            let often = trials.iter().filter(|trial| trial.fault == fault).count();
            assert!((7..=8).contains(&often), "{fault:?}: {often}");
        }
        assert!(trials.iter().all(|trial| (0.0..1.0).contains(&trial.moment)));
        let late = trials.iter().filter(|trial| trial.moment > 0.5).count();
        assert!((40..80).contains(&late), "{late} of 120 are in the second half");
    }
}
