//! The kinds of faults, and the trials that a seed draws from them.

use std::time::Duration;

use crate::random::Random;

/// What happens during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nothing: shows that the checks themselves find nothing.
    None,
    KillDriver,
    InterruptDriver,
    TerminateDriver,
    KillMaster,
    KillWorker,
    KillReplica,
    DeleteMaster,
    DeleteWorker,
    DeleteReplica,
    /// The cluster's process is stopped (SIGSTOP) and continued: no API server, no services, no kubelet.
    PauseCluster,
    /// The same, with every process of every pod.
    PauseNode,
    /// The cluster's process is killed, with its pods and objects. The run is resumed in a new cluster.
    KillCluster,
    FullDisk,
    SecondDriver,
    ResetByHand,
    StopByHand,
}

impl Fault {
    /// Every kind that is drawn.
    pub(crate) const ALL: [Self; 16] = [
        Self::KillDriver,
        Self::InterruptDriver,
        Self::TerminateDriver,
        Self::KillMaster,
        Self::KillWorker,
        Self::KillReplica,
        Self::DeleteMaster,
        Self::DeleteWorker,
        Self::DeleteReplica,
        Self::PauseCluster,
        Self::PauseNode,
        Self::KillCluster,
        Self::FullDisk,
        Self::SecondDriver,
        Self::ResetByHand,
        Self::StopByHand,
    ];

    /// The kinds of the small set, which every change has to pass: one for each part that can fail.
    pub(crate) const SMALL: [Self; 7] = [
        Self::KillDriver,
        Self::TerminateDriver,
        Self::DeleteMaster,
        Self::KillWorker,
        Self::KillReplica,
        Self::PauseNode,
        Self::SecondDriver,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no fault",
            Self::KillDriver => "driver: SIGKILL",
            Self::InterruptDriver => "driver: SIGINT",
            Self::TerminateDriver => "driver: SIGTERM",
            Self::KillMaster => "master: SIGKILL",
            Self::KillWorker => "worker: SIGKILL",
            Self::KillReplica => "replica: SIGKILL",
            Self::DeleteMaster => "master: pod deleted",
            Self::DeleteWorker => "worker: pod deleted",
            Self::DeleteReplica => "replica: pod deleted",
            Self::PauseCluster => "API server away",
            Self::PauseNode => "node paused",
            Self::KillCluster => "cluster: SIGKILL",
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
        assert_eq!(draw(7, 40, &Fault::ALL), draw(7, 40, &Fault::ALL));
        assert_ne!(draw(7, 40, &Fault::ALL), draw(8, 40, &Fault::ALL));
    }

    #[test]
    fn every_kind_comes_equally_often_and_moments_lie_within_the_run() {
        let trials = draw(1, 120, &Fault::ALL);
        for fault in Fault::ALL {
            let often = trials.iter().filter(|trial| trial.fault == fault).count();
            assert!((7..=8).contains(&often), "{fault:?}: {often}");
        }
        assert!(trials.iter().all(|trial| (0.0..1.0).contains(&trial.moment)));
        let late = trials.iter().filter(|trial| trial.moment > 0.5).count();
        assert!((40..80).contains(&late), "{late} of 120 are in the second half");
    }
}
