//! What the events have told so far.

use std::time::Duration;

use crate::events::{PlannedScenario, Progress};

/// So many live figures are kept for the sparklines.
const KEPT: usize = 200;

/// The live view of a run.
#[derive(Clone, Debug, Default)]
pub struct LiveView {
    pub(super) title: String,
    /// Every scenario that is known, with its status; empty while it is not recorded.
    pub(super) scenarios: Vec<(PlannedScenario, String)>,
    /// Whether the plan is a search, which learns its scenarios.
    pub(super) is_search: bool,
    /// The place of the scenario that is being measured.
    pub(super) current: Option<usize>,
    pub(super) attempt: u32,
    /// What is being done or waited for.
    pub(super) doing: String,
    pub(super) figures: Vec<Figures>,
    pub(super) signals: Option<Signals>,
    /// When the run began, how long it was expected to take, and how many scenarios it then had to measure.
    expected: Option<(Duration, Duration, usize)>,
    /// Scenarios recorded since then, and when the latest of them was.
    done: usize,
    last_done: Option<Duration>,
}

/// The latest live figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) at_s: f64,
    pub(super) of_s: f64,
    pub(super) rps: f64,
    pub(super) median_us: Option<u64>,
    pub(super) p95_us: Option<u64>,
    pub(super) failures_pct: Option<f64>,
}

/// The latest signals.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    pub(super) unsteady: Option<String>,
    pub(super) accounted_pct: Option<f64>,
    pub(super) cpu_pct: Option<f64>,
    pub(super) lag_us: Option<u64>,
}

impl LiveView {
    /// Takes an event that happened at this time since the program began. Returns whether the run has begun and has not
    /// ended, so that there is something to show.
    pub fn observe(&mut self, event: &Progress, now: Duration) -> bool {
        match event {
            Progress::RunStarted { expected_s, generator, target, plan, scenarios, .. } => {
                *self = Self::default();
                self.title = format!("{generator} → {target}");
                self.is_search = scenarios.is_none();
                let status = |planned: &PlannedScenario| planned.status.clone().unwrap_or_default();
                self.scenarios = plan.iter().map(|planned| (planned.clone(), status(planned))).collect();
                let left = self.scenarios.iter().filter(|(_, status)| status.is_empty()).count();
                let expected = Duration::try_from_secs_f64(*expected_s).unwrap_or_default();
                self.expected = Some((now, expected, left));
            }
            Progress::ScenarioStarted { scenario, attempt, .. } => {
                self.current = Some(self.place(scenario));
                (self.attempt, self.signals) = (*attempt, None);
                self.figures.clear();
                self.doing = "scaling".into();
            }
            Progress::ScenarioEnded { number, status, .. } => {
                self.set_status(*number, status);
                (self.current, self.doing) = (None, "cooling down".into());
                (self.done, self.last_done) = (self.done + 1, Some(now));
            }
            Progress::VerdictChanged { scenario, status, .. } => {
                let known = self.scenarios.iter_mut().find(|(planned, _)| planned.scenario == *scenario);
                if let Some((_, known)) = known {
                    known.clone_from(status);
                }
            }
            Progress::Live { at_s, of_s, rps, median_us, p95_us, failures_pct, .. } => {
                let (at_s, of_s, rps, median_us, p95_us) = (*at_s, *of_s, *rps, *median_us, *p95_us);
                self.doing = "measuring".into();
                self.figures.push(Figures {
                    at_s,
                    of_s,
                    rps,
                    median_us,
                    p95_us,
                    failures_pct: *failures_pct,
                });
                let too_many = self.figures.len().saturating_sub(KEPT);
                self.figures.drain(..too_many);
            }
            Progress::Signals { unsteady, accounted_pct, cpu_pct, lag_us } => {
                self.signals = Some(Signals {
                    unsteady: unsteady.clone(),
                    accounted_pct: *accounted_pct,
                    cpu_pct: *cpu_pct,
                    lag_us: *lag_us,
                });
            }
            Progress::PhaseDone { what, .. } => self.doing = format!("{what} ✓"),
            Progress::Waiting { subject, state, .. } => {
                self.doing = format!("waiting for {subject}: {state}");
            }
            Progress::Retry { .. } => self.doing = "once more".into(),
            Progress::Recovering => self.doing = "waiting until the cluster answers again".into(),
            Progress::RunEnded { .. } => self.expected = None,
            _ => {}
        }
        self.is_running()
    }

    /// Whether there is something to show.
    pub fn is_running(&self) -> bool {
        self.expected.is_some()
    }

    /// Whether an event is in the view, so that it needs no line of its own.
    pub const fn shows(event: &Progress) -> bool {
        matches!(
            event,
            Progress::Live { .. }
                | Progress::Signals { .. }
                | Progress::PhaseDone { .. }
                | Progress::Waiting { .. }
                | Progress::ScenarioStarted { .. }
        )
    }

    /// The place of a scenario; a new one gets the next.
    fn place(&mut self, scenario: &PlannedScenario) -> usize {
        let known = self.scenarios.iter().position(|(planned, _)| planned.scenario == scenario.scenario);
        known.unwrap_or_else(|| {
            self.scenarios.push((scenario.clone(), String::new()));
            self.scenarios.len() - 1
        })
    }

    fn set_status(&mut self, number: usize, status: &str) {
        // In a search, numbers count the scenarios in the order in which they are begun.
        let at = self.current.or_else(|| number.checked_sub(1));
        if let Some((_, known)) = at.and_then(|at| self.scenarios.get_mut(at)) {
            status.clone_into(known);
        }
    }

    /// The time that the run still takes: each scenario takes as long as expected, or as those that are done took.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let (began, expected, count) = self.expected?;
        if self.is_search || count == 0 {
            return Some(expected.saturating_sub(now.saturating_sub(began)));
        }
        let done = u32::try_from(self.done).unwrap_or(u32::MAX);
        let each = match self.last_done {
            Some(last) if done > 0 => last.saturating_sub(began) / done,
            _ => expected / u32::try_from(count).unwrap_or(u32::MAX),
        };
        let in_this = now.saturating_sub(self.last_done.unwrap_or(began)).min(each);
        let open = u32::try_from(count.saturating_sub(self.done)).unwrap_or(u32::MAX);
        Some((each * open).saturating_sub(in_this))
    }
}
