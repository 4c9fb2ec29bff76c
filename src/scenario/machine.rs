//! A scenario as a pure state machine: it takes events and returns actions.
//!
//! ```text
//! Pending → Scaling → AwaitingReady → WarmingUp → Measuring → Draining → Over
//! ```
//!
//! Once load may be running, every failure leads through Draining, so that no scenario leaves load behind.

use records::{Unmeasured, UnmeasuredKind};

use crate::exit::{Error, ExitCode};

/// The phase that a scenario is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has been done.
    Pending,
    /// Replicas and workers are being scaled.
    Scaling,
    /// Replicas and workers are being awaited.
    AwaitingReady,
    /// Users are being started; they run until the window opens.
    WarmingUp,
    /// The window is open.
    Measuring,
    /// The load is being stopped; then the scenario ends as decided.
    Draining(End),
    /// It has ended.
    Over(End),
}

/// How a scenario ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was measured.
    Measured,
    /// It could not be measured, for this reason.
    Failed(Unmeasured),
    /// The run ends: it was interrupted, or the cluster or the load generator failed. The scenario is not
    /// recorded, so that a resumed run measures it.
    Abandoned(Error),
}

/// Something that happened to the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scenario starts.
    Started,
    /// The last action has been carried out.
    Done,
    /// The scenario cannot be measured.
    Failed(Unmeasured),
    /// The run cannot go on.
    Abandoned(Error),
}

impl Event {
    /// The service answers nothing but errors.
    pub(super) fn every_request_failed(reason: impl Into<String>) -> Self {
        Self::Failed(Unmeasured::new(UnmeasuredKind::EveryRequestFailed, reason.into()))
    }

    /// The scenario cannot be measured, because something is broken.
    pub(super) fn broken(reason: impl Into<String>) -> Self {
        Self::Failed(Unmeasured::new(UnmeasuredKind::Broken, reason.into()))
    }

    /// The test script has ended the load by itself. Another try would end in the same way.
    pub(super) fn by_script(reason: impl Into<String>) -> Self {
        Self::Failed(Unmeasured::new(UnmeasuredKind::ScriptEnds, reason.into()))
    }

    /// The scenario was disturbed from outside, and is worth another try.
    pub(super) fn disturbed(reason: impl Into<String>) -> Self {
        Self::Failed(Unmeasured::new(UnmeasuredKind::Disturbed, reason.into()))
    }
}

/// What becomes of an error, unless the caller decides otherwise. A cluster or a load generator that fails may
/// work again in a moment. A missing permission, a wrong setting or an interruption stays.
impl From<Error> for Event {
    fn from(error: Error) -> Self {
        match error.code {
            ExitCode::Cluster => Self::disturbed(error.message),
            ExitCode::Scenario => Self::broken(error.message),
            _ => Self::Abandoned(error),
        }
    }
}

/// Something to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Scale the replicas and the workers.
    Scale,
    /// Wait until exactly these replicas and workers are ready.
    AwaitReady,
    /// Start the users, and wait until all of them run.
    WarmUp,
    /// Open the window, take samples, close the window.
    Measure,
    /// Stop the load and wait until it has ended.
    Drain,
    /// Write the record.
    Record(Option<Unmeasured>),
    /// Write no record.
    Discard,
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
    /// The present phase.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes an event and returns the next action, or `None` once the scenario is over.
    pub fn next(&mut self, event: Event) -> Option<Action> {
        use Event::{Abandoned, Done, Failed, Started};
        let (phase, action) = match (&self.phase, event) {
            (Phase::Pending, Started) => (Phase::Scaling, Action::Scale),
            (Phase::Scaling, Done) => (Phase::AwaitingReady, Action::AwaitReady),
            (Phase::AwaitingReady, Done) => (Phase::WarmingUp, Action::WarmUp),
            (Phase::WarmingUp, Done) => (Phase::Measuring, Action::Measure),
            (Phase::Measuring, Done) => drain(End::Measured),
            (Phase::WarmingUp | Phase::Measuring, Failed(unmeasured)) => drain(End::Failed(unmeasured)),
            (Phase::WarmingUp | Phase::Measuring, Abandoned(error)) => drain(End::Abandoned(error)),
            (Phase::Draining(end), Done) => over(end.clone()),
            // The load may still be running: before the next scenario, the run makes sure that it is not.
            (Phase::Draining(End::Measured), Failed(unmeasured)) => over(End::Failed(unmeasured)),
            // The first problem is the one to report.
            (Phase::Draining(first), Failed(_)) => over(first.clone()),
            (Phase::Draining(End::Abandoned(first)), Abandoned(_)) => over(End::Abandoned(first.clone())),
            (Phase::Draining(_), Abandoned(error)) => over(End::Abandoned(error)),
            (Phase::Pending | Phase::Scaling | Phase::AwaitingReady, Failed(unmeasured)) => {
                over(End::Failed(unmeasured))
            }
            (Phase::Pending | Phase::Scaling | Phase::AwaitingReady, Abandoned(error)) => {
                over(End::Abandoned(error))
            }
            (Phase::Over(_), _) | (_, Started) | (Phase::Pending, Done) => return None,
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
        End::Abandoned(_) => Action::Discard,
    };
    (Phase::Over(end), action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use Action::{AwaitReady, Discard, Drain, Measure, Record, Scale, WarmUp};

    fn failed() -> Event {
        Event::Failed(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"))
    }

    fn abandoned() -> Event {
        Event::Abandoned(Error::interrupted("stopped"))
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => Just(Event::Done),
            1 => Just(Event::Started),
            1 => Just(failed()),
            1 => Just(abandoned()),
        ]
    }

    /// The machine after these events, and the actions that it returned.
    fn actions(events: &[Event]) -> (ScenarioMachine, Vec<Action>) {
        let mut machine = ScenarioMachine::default();
        let actions = events.iter().filter_map(|event| machine.next(event.clone())).collect();
        (machine, actions)
    }

    fn is_last(action: &Action) -> bool {
        matches!(action, Record(_) | Discard)
    }

    #[test]
    fn a_scenario_without_problems_is_recorded() {
        let mut events = vec![Event::Started];
        events.extend(std::iter::repeat_n(Event::Done, 5));
        let (machine, actions) = actions(&events);
        assert_eq!(actions, [Scale, AwaitReady, WarmUp, Measure, Drain, Record(None)]);
        assert_eq!(machine.phase(), &Phase::Over(End::Measured));
    }

    #[test]
    fn a_scenario_whose_load_does_not_stop_is_recorded_with_its_first_problem() {
        let to_drain = [Event::Started, Event::Done, Event::Done, Event::Done];
        let stuck = || Event::disturbed("the load does not stop");
        for (measured, problem) in
            [(Event::Done, "the load does not stop"), (failed(), "the service crashes")]
        {
            let events = [&to_drain[..], &[measured, stuck()]].concat();
            let (_, actions) = actions(&events);
            let Some(Record(Some(unmeasured))) = actions.last() else { panic!("{actions:?}") };
            assert_eq!(unmeasured.reasons, [problem]);
        }
        let events = [&to_drain[..], &[abandoned(), stuck()]].concat();
        let (machine, actions) = actions(&events);
        assert_eq!(actions.last(), Some(&Discard));
        assert!(matches!(machine.phase(), Phase::Over(End::Abandoned(error)) if error.message == "stopped"));
    }

    proptest! {
        #[test]
        fn started_load_is_stopped_before_the_scenario_ends(events in prop::collection::vec(event(), 0..20)) {
            let mut all = vec![Event::Started];
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
        fn a_scenario_ends_at_most_once_and_nothing_follows(events in prop::collection::vec(event(), 0..30)) {
            let (_, actions) = actions(&events);
            let ends = actions.iter().filter(|action| is_last(action)).count();
            prop_assert!(ends <= 1);
            prop_assert!(ends == 0 || actions.last().is_some_and(is_last));
        }

        #[test]
        fn every_started_scenario_ends_if_its_actions_succeed_from_now_on(events in prop::collection::vec(event(), 0..30)) {
            let (mut machine, actions) = actions(&events);
            let over = actions.last().is_some_and(is_last);
            let started = !actions.is_empty();
            let rest = std::iter::repeat_with(|| machine.next(Event::Done)).take(10).flatten().collect::<Vec<_>>();
            prop_assert!(over || !started || rest.last().is_some_and(is_last));
        }

        #[test]
        fn a_scenario_abandoned_before_draining_is_never_recorded(done in 0_usize..4) {
            let mut all = vec![Event::Started];
            all.extend(std::iter::repeat_n(Event::Done, done));
            all.push(abandoned());
            all.extend(std::iter::repeat_n(Event::Done, 3));
            let (_, actions) = actions(&all);
            prop_assert_eq!(actions.last(), Some(&Discard));
        }
    }
}
