//! A scenario as a pure state machine: events go in, actions come out.
//!
//! ```text
//! Pending → Scaling → AwaitingReady → WarmingUp → Measuring → Draining → over
//! ```
//!
//! Whatever goes wrong once load may be running leads through Draining, so that no load is left
//! behind a scenario that has ended.

use records::Unmeasured;

use crate::exit::Error;

/// The phase that a scenario is in.
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
    /// It could not be measured; with the reason.
    Failed(Unmeasured),
    /// The run ends with it: an interruption, or a cluster or Locust that failed. It is not
    /// recorded, so that a resumed run measures it.
    Abandoned(Error),
}

/// Something that happened to the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scenario begins.
    Begin,
    /// The last action has been carried out.
    Done,
    /// The scenario cannot be measured.
    Failed(Unmeasured),
    /// The run cannot go on.
    Abandoned(Error),
}

/// Something to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
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
    Record(Option<Unmeasured>),
    /// Record nothing.
    Leave,
}

/// The state of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioMachine {
    phase: Phase,
}

impl Default for ScenarioMachine {
    fn default() -> Self {
        Self { phase: Phase::Pending }
    }
}

impl ScenarioMachine {
    /// The phase that it is in.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes an event and returns the next action, or `None` once the scenario is over.
    pub fn next(&mut self, event: Event) -> Option<Action> {
        use Event::{Abandoned, Begin, Done, Failed};
        let (phase, action) = match (&self.phase, event) {
            (Phase::Pending, Begin) => (Phase::Scaling, Action::Scale),
            (Phase::Scaling, Done) => (Phase::AwaitingReady, Action::AwaitReady),
            (Phase::AwaitingReady, Done) => (Phase::WarmingUp, Action::WarmUp),
            (Phase::WarmingUp, Done) => (Phase::Measuring, Action::Measure),
            (Phase::Measuring, Done) => drain(End::Measured),
            (Phase::WarmingUp | Phase::Measuring, Failed(unmeasured)) => drain(End::Failed(unmeasured)),
            (Phase::WarmingUp | Phase::Measuring, Abandoned(error)) => drain(End::Abandoned(error)),
            (Phase::Draining(end), Done) => over(end.clone()),
            // The load may still be running: no figure of this scenario or the next can be trusted.
            (Phase::Draining(_), Failed(unmeasured)) => {
                over(End::Abandoned(Error::cluster(unmeasured.reasons.join("; "))))
            }
            // What went wrong first is what is told.
            (Phase::Draining(End::Abandoned(first)), Abandoned(_)) => over(End::Abandoned(first.clone())),
            (Phase::Draining(_), Abandoned(error)) => over(End::Abandoned(error)),
            (Phase::Pending | Phase::Scaling | Phase::AwaitingReady, Failed(unmeasured)) => {
                over(End::Failed(unmeasured))
            }
            (Phase::Pending | Phase::Scaling | Phase::AwaitingReady, Abandoned(error)) => {
                over(End::Abandoned(error))
            }
            (Phase::Over(_), _) | (_, Begin) | (Phase::Pending, Done) => return None,
        };
        self.phase = phase;
        Some(action)
    }
}

const fn drain(end: End) -> (Phase, Action) {
    (Phase::Draining(end), Action::Drain)
}

fn over(end: End) -> (Phase, Action) {
    let action = match &end {
        End::Measured => Action::Record(None),
        End::Failed(unmeasured) => Action::Record(Some(unmeasured.clone())),
        End::Abandoned(_) => Action::Leave,
    };
    (Phase::Over(end), action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use records::UnmeasuredKind;

    use Action::{AwaitReady, Drain, Leave, Measure, Record, Scale, WarmUp};

    fn failed() -> Event {
        Event::Failed(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"))
    }

    fn abandoned() -> Event {
        Event::Abandoned(Error::interrupted("stopped"))
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => Just(Event::Done),
            1 => Just(Event::Begin),
            1 => Just(failed()),
            1 => Just(abandoned()),
        ]
    }

    /// Every action that a sequence of events leads to.
    fn actions(events: &[Event]) -> (ScenarioMachine, Vec<Action>) {
        let mut machine = ScenarioMachine::default();
        let actions = events.iter().filter_map(|event| machine.next(event.clone())).collect();
        (machine, actions)
    }

    fn is_last(action: &Action) -> bool {
        matches!(action, Record(_) | Leave)
    }

    #[test]
    fn the_good_way_leads_to_a_record() {
        let mut events = vec![Event::Begin];
        events.extend(std::iter::repeat_n(Event::Done, 5));
        let (machine, actions) = actions(&events);
        assert_eq!(actions, [Scale, AwaitReady, WarmUp, Measure, Drain, Record(None)]);
        assert_eq!(machine.phase(), &Phase::Over(End::Measured));
    }

    #[test]
    fn a_load_that_does_not_stop_ends_the_run() {
        let events = [
            Event::Begin,
            Event::Done,
            Event::Done,
            Event::Done,
            Event::Done,
            Event::Failed(Unmeasured::new(UnmeasuredKind::Broken, "workers still drain")),
        ];
        let (machine, actions) = actions(&events);
        assert_eq!(actions.last(), Some(&Leave));
        assert!(
            matches!(machine.phase(), Phase::Over(End::Abandoned(error)) if error.message == "workers still drain")
        );
    }

    proptest! {
        #[test]
        fn load_is_stopped_before_the_end(events in prop::collection::vec(event(), 0..20)) {
            let mut all = vec![Event::Begin];
            all.extend(events);
            let (_, actions) = actions(&all);
            if let (Some(started), Some(ended)) = (
                actions.iter().position(|o| *o == WarmUp),
                actions.iter().position(is_last),
            ) {
                let drained = actions.iter().position(|o| *o == Drain);
                prop_assert!(drained.is_some_and(|drained| started < drained && drained < ended));
            }
        }

        #[test]
        fn there_is_at_most_one_end_and_nothing_after_it(events in prop::collection::vec(event(), 0..30)) {
            let (_, actions) = actions(&events);
            let ends = actions.iter().filter(|action| is_last(action)).count();
            prop_assert!(ends <= 1);
            prop_assert!(ends == 0 || actions.last().is_some_and(is_last));
        }

        #[test]
        fn every_way_ends_when_actions_end(events in prop::collection::vec(event(), 0..30)) {
            let (mut machine, actions) = actions(&events);
            let over = actions.last().is_some_and(is_last);
            let begun = !actions.is_empty();
            let rest = std::iter::repeat_with(|| machine.next(Event::Done)).take(10).flatten().collect::<Vec<_>>();
            prop_assert!(over || !begun || rest.last().is_some_and(is_last));
        }

        #[test]
        fn what_is_abandoned_before_draining_is_never_recorded(done in 0_usize..4) {
            let mut all = vec![Event::Begin];
            all.extend(std::iter::repeat_n(Event::Done, done));
            all.push(abandoned());
            all.extend(std::iter::repeat_n(Event::Done, 3));
            let (_, actions) = actions(&all);
            prop_assert_eq!(actions.last(), Some(&Leave));
        }
    }
}
