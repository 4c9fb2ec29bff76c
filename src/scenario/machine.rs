//! A scenario as a pure state machine: what happened goes in, what to do comes out.
//!
//! ```text
//! Pending → Scaling → AwaitingReady → WarmingUp → Measuring → Draining → over
//! ```
//!
//! Whatever goes wrong once load may be running leads through Draining, so that no load is left
//! behind a scenario that has ended.

use crate::exit::Error;
use crate::record::Verdict;

/// Where a scenario stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has been done.
    Pending,
    /// Replicas and workers are being asked for.
    Scaling,
    /// They are being waited for.
    AwaitingReady,
    /// Users are being started, and run until the window opens.
    WarmingUp,
    /// The window is open.
    Measuring,
    /// The load is being stopped; how the scenario will end is decided.
    Draining(End),
    /// It has ended.
    Over(End),
}

/// How a scenario ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was measured.
    Measured,
    /// It could not be measured; the verdict says why.
    Failed(Verdict),
    /// The run ends with it: an interruption, or a cluster or Locust that failed. It is not
    /// recorded, so that a resumed run measures it.
    Abandoned(Error),
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The scenario is due.
    Due,
    /// The operation asked for has been carried out.
    Done,
    /// The scenario cannot be measured.
    Failed(Verdict),
    /// The run cannot go on.
    Abandoned(Error),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Ask for replicas and workers.
    Scale,
    /// Wait until both are exactly there.
    AwaitReady,
    /// Start the users, and wait until all of them run.
    WarmUp,
    /// Open the window, watch, close it.
    Measure,
    /// Stop the load and wait until it has ended.
    Drain,
    /// Write the record.
    Record(Option<Verdict>),
    /// Record nothing.
    Leave,
}

/// A scenario on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    phase: Phase,
}

impl Default for Due {
    fn default() -> Self {
        Self { phase: Phase::Pending }
    }
}

impl Due {
    /// Where it stands.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes what happened; gives what to do next, or `None` once it is over.
    pub fn next(&mut self, happening: Happening) -> Option<Operation> {
        use Happening::{Abandoned, Done, Due, Failed};
        let (phase, operation) = match (&self.phase, happening) {
            (Phase::Pending, Due) => (Phase::Scaling, Operation::Scale),
            (Phase::Scaling, Done) => (Phase::AwaitingReady, Operation::AwaitReady),
            (Phase::AwaitingReady, Done) => (Phase::WarmingUp, Operation::WarmUp),
            (Phase::WarmingUp, Done) => (Phase::Measuring, Operation::Measure),
            (Phase::Measuring, Done) => drain(End::Measured),
            (Phase::WarmingUp | Phase::Measuring, Failed(verdict)) => drain(End::Failed(verdict)),
            (Phase::WarmingUp | Phase::Measuring, Abandoned(error)) => drain(End::Abandoned(error)),
            (Phase::Draining(end), Done) => over(end.clone()),
            // The load may still be running: no figure of this scenario or the next can be trusted.
            (Phase::Draining(_), Failed(verdict)) => {
                over(End::Abandoned(Error::cluster(verdict.reasons.join("; "))))
            }
            // What went wrong first is what is told.
            (Phase::Draining(End::Abandoned(first)), Abandoned(_)) => over(End::Abandoned(first.clone())),
            (Phase::Draining(_), Abandoned(error)) => over(End::Abandoned(error)),
            (Phase::Pending | Phase::Scaling | Phase::AwaitingReady, Failed(verdict)) => {
                over(End::Failed(verdict))
            }
            (Phase::Pending | Phase::Scaling | Phase::AwaitingReady, Abandoned(error)) => {
                over(End::Abandoned(error))
            }
            (Phase::Over(_), _) | (_, Due) | (Phase::Pending, Done) => return None,
        };
        self.phase = phase;
        Some(operation)
    }
}

const fn drain(end: End) -> (Phase, Operation) {
    (Phase::Draining(end), Operation::Drain)
}

fn over(end: End) -> (Phase, Operation) {
    let operation = match &end {
        End::Measured => Operation::Record(None),
        End::Failed(verdict) => Operation::Record(Some(verdict.clone())),
        End::Abandoned(_) => Operation::Leave,
    };
    (Phase::Over(end), operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Judgement;
    use proptest::prelude::*;

    use Operation::{AwaitReady, Drain, Leave, Measure, Record, Scale, WarmUp};

    fn failed() -> Happening {
        Happening::Failed(Verdict::of(Judgement::Failed, "the service crashes"))
    }

    fn abandoned() -> Happening {
        Happening::Abandoned(Error::interrupted("stopped"))
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            6 => Just(Happening::Done),
            1 => Just(Happening::Due),
            1 => Just(failed()),
            1 => Just(abandoned()),
        ]
    }

    /// Every operation that a sequence of happenings leads to.
    fn operations(happenings: &[Happening]) -> (Due, Vec<Operation>) {
        let mut due = Due::default();
        let operations = happenings.iter().filter_map(|happening| due.next(happening.clone())).collect();
        (due, operations)
    }

    fn is_last(operation: &Operation) -> bool {
        matches!(operation, Record(_) | Leave)
    }

    #[test]
    fn the_good_way_leads_to_a_record() {
        let mut happenings = vec![Happening::Due];
        happenings.extend(std::iter::repeat_n(Happening::Done, 5));
        let (due, operations) = operations(&happenings);
        assert_eq!(operations, [Scale, AwaitReady, WarmUp, Measure, Drain, Record(None)]);
        assert_eq!(due.phase(), &Phase::Over(End::Measured));
    }

    #[test]
    fn a_load_that_does_not_stop_ends_the_run() {
        let happenings = [
            Happening::Due,
            Happening::Done,
            Happening::Done,
            Happening::Done,
            Happening::Done,
            Happening::Failed(Verdict::of(Judgement::Failed, "workers still drain")),
        ];
        let (due, operations) = operations(&happenings);
        assert_eq!(operations.last(), Some(&Leave));
        assert!(
            matches!(due.phase(), Phase::Over(End::Abandoned(error)) if error.message == "workers still drain")
        );
    }

    proptest! {
        #[test]
        fn load_is_stopped_before_the_end(happenings in prop::collection::vec(happening(), 0..20)) {
            let mut all = vec![Happening::Due];
            all.extend(happenings);
            let (_, operations) = operations(&all);
            if let (Some(started), Some(ended)) = (
                operations.iter().position(|o| *o == WarmUp),
                operations.iter().position(is_last),
            ) {
                let drained = operations.iter().position(|o| *o == Drain);
                prop_assert!(drained.is_some_and(|drained| started < drained && drained < ended));
            }
        }

        #[test]
        fn there_is_at_most_one_end_and_nothing_after_it(happenings in prop::collection::vec(happening(), 0..30)) {
            let (_, operations) = operations(&happenings);
            let ends = operations.iter().filter(|operation| is_last(operation)).count();
            prop_assert!(ends <= 1);
            prop_assert!(ends == 0 || operations.last().is_some_and(is_last));
        }

        #[test]
        fn every_way_ends_when_operations_end(happenings in prop::collection::vec(happening(), 0..30)) {
            let (mut due, operations) = operations(&happenings);
            let over = operations.last().is_some_and(is_last);
            let begun = !operations.is_empty();
            let rest = std::iter::repeat_with(|| due.next(Happening::Done)).take(10).flatten().collect::<Vec<_>>();
            prop_assert!(over || !begun || rest.last().is_some_and(is_last));
        }

        #[test]
        fn what_is_abandoned_before_draining_is_never_recorded(done in 0_usize..4) {
            let mut all = vec![Happening::Due];
            all.extend(std::iter::repeat_n(Happening::Done, done));
            all.push(abandoned());
            all.extend(std::iter::repeat_n(Happening::Done, 3));
            let (_, operations) = operations(&all);
            prop_assert_eq!(operations.last(), Some(&Leave));
        }
    }
}
