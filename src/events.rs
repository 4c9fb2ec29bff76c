//! What a run tells people while it goes on. The library makes events; a program prints them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::wait::seconds;

/// One thing worth telling.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins or goes on.
    RunStarted {
        /// The run.
        run_id: String,
        /// Scenarios planned.
        scenarios: usize,
        /// Scenarios that an earlier pod has recorded already.
        recorded: usize,
        /// About how long the rest takes, s.
        expected_s: f64,
        /// What makes the load, such as `Locust 2.46.6`.
        generator: String,
        /// Where it goes.
        target: String,
    },
    /// Something is waited for, or was put right.
    Note {
        /// In words.
        text: String,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Place in the plan, from 1.
        number: usize,
        /// Scenarios planned, if the plan knows.
        of: Option<usize>,
        /// Replicas, workers and users.
        point: String,
        /// Which try, from 1.
        attempt: u32,
    },
    /// A scenario was VOID and is tried again.
    Retry {
        /// Why it was VOID.
        reasons: Vec<String>,
    },
    /// A later record has changed the verdict of an earlier scenario.
    VerdictChanged {
        /// The id of the earlier scenario.
        scenario: String,
        /// Its status now.
        status: String,
        /// Why.
        reasons: Vec<String>,
    },
    /// A phase of a scenario has ended.
    PhaseDone {
        /// What was done.
        what: String,
        /// How long it took, ms.
        took_ms: u64,
    },
    /// The live figures of the window.
    Live {
        /// Seconds measured so far.
        at_s: f64,
        /// Length of the window, s.
        of_s: f64,
        /// Requests per second over the last 10 s.
        rps: f64,
        /// Median over the last 10 s, µs.
        median_us: Option<u64>,
        /// 90th percentile over the last 10 s, µs.
        p90_us: Option<u64>,
        /// Share of failed requests over the last 10 s, %.
        failures_pct: Option<f64>,
        /// In the open model, what became of the arrivals of the last 10 s.
        #[serde(skip_serializing_if = "Option::is_none")]
        open: Option<Arrivals>,
    },
    /// A scenario is recorded.
    ScenarioEnded {
        /// Place in the plan, from 1.
        number: usize,
        /// Scenarios planned, if the plan knows.
        of: Option<usize>,
        /// `SUCCESS`, or why its figures cannot be used.
        status: String,
        /// The figures or the reasons, in words.
        summary: String,
    },
    /// The run is over.
    RunEnded {
        /// Scenarios recorded.
        recorded: usize,
        /// Of them valid.
        valid: usize,
        /// How long it took, s.
        took_s: f64,
    },
}

/// What became of open-model arrivals.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Arrivals {
    /// Requests asked for, 1/s.
    pub rate: f64,
    /// Started more than 10 ms after they were due.
    pub late: u64,
    /// Never started.
    pub skipped: u64,
}

impl Event {
    /// A note.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note { text: text.into() }
    }

    /// The end of a phase.
    pub fn phase(what: impl Into<String>, took: Duration) -> Self {
        Self::PhaseDone { what: what.into(), took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunStarted { run_id, scenarios, recorded, expected_s, generator, target } => {
                write!(
                    f,
                    "run {run_id}: {} against {target} with {generator}",
                    many(*scenarios, "scenario")
                )?;
                if *recorded > 0 {
                    write!(f, "; {recorded} recorded already")?;
                }
                write!(f, "; about {} to go", minutes(*expected_s))
            }
            Self::Note { text } => f.write_str(text),
            Self::ScenarioStarted { number, of, point, attempt } => {
                write!(f, "\n[{}] {point}", place(*number, *of))?;
                if *attempt > 1 { write!(f, " (attempt {attempt})") } else { Ok(()) }
            }
            Self::Retry { reasons } => write!(f, "  VOID, once more: {}", reasons.join("; ")),
            Self::VerdictChanged { scenario, status, reasons } => {
                write!(f, "{scenario}: {status} after all: {}", reasons.join("; "))
            }
            Self::PhaseDone { what, took_ms } => {
                write!(f, "  {what} ({})", seconds(Duration::from_millis(*took_ms)))
            }
            Self::Live { at_s, of_s, rps, median_us, p90_us, failures_pct, open } => {
                let ms = |us: &Option<u64>| us.map_or("-".into(), |us| format!("{}ms", records::ms(us)));
                let failures = failures_pct.map_or("-".into(), |share| format!("{share:.1}%"));
                write!(
                    f,
                    "  [{at_s:.0}s/{of_s:.0}s] RPS: {rps:.1} | Median: {} | P90: {} | Failures: {failures}",
                    ms(median_us),
                    ms(p90_us)
                )?;
                match open {
                    Some(Arrivals { rate, late, skipped }) => {
                        write!(f, " | open at {rate}/s: {late} late, {skipped} skipped")
                    }
                    None => Ok(()),
                }
            }
            Self::ScenarioEnded { number, of, status, summary } => {
                write!(f, "[{}] {status}  {summary}", place(*number, *of))
            }
            Self::RunEnded { recorded, valid, took_s } => {
                write!(
                    f,
                    "\nvalid: {valid} of {}; the run took {}",
                    many(*recorded, "recorded scenario"),
                    minutes(*took_s)
                )
            }
        }
    }
}

/// `3/4`, or `3` if the number of scenarios is not known.
fn place(number: usize, of: Option<usize>) -> String {
    of.map_or(number.to_string(), |of| format!("{number}/{of}"))
}

/// `1 replica`, `2 replicas`.
pub fn many<N: Copy + fmt::Display + PartialEq + From<u8>>(count: N, word: &str) -> String {
    let one = N::from(1);
    format!("{count} {word}{}", if count == one { "" } else { "s" })
}

/// Minutes and seconds, for people.
pub fn minutes(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or_default().as_secs();
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// Where events go.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events go to `sink`.
    pub fn to(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Tells one.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_line_reads_as_documented() {
        let live = Event::Live {
            at_s: 60.2,
            of_s: 120.0,
            rps: 18.51,
            median_us: Some(620_000),
            p90_us: Some(1_800_000),
            failures_pct: Some(0.0),
            open: None,
        };
        assert_eq!(live.to_string(), "  [60s/120s] RPS: 18.5 | Median: 620ms | P90: 1800ms | Failures: 0.0%");
    }

    #[test]
    fn what_was_not_seen_is_a_dash() {
        let live = Event::Live {
            at_s: 2.0,
            of_s: 20.0,
            rps: 0.0,
            median_us: None,
            p90_us: None,
            failures_pct: None,
            open: Some(Arrivals { rate: 12.5, late: 3, skipped: 0 }),
        };
        assert_eq!(
            live.to_string(),
            "  [2s/20s] RPS: 0.0 | Median: - | P90: - | Failures: - | open at 12.5/s: 3 late, 0 skipped"
        );
    }
}
