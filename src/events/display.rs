//! The events as lines for people. The lines of a scenario are indented.

use std::fmt;
use std::time::Duration;

use super::{Arrivals, DeploymentReplicas, Progress, many, minutes};
use crate::wait::seconds;

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetConfirmed { deployment, kind, namespace, server } => {
                write!(f, "service: {kind} {namespace}/{deployment} in {server}")
            }
            Self::WebUi { url } => write!(f, "Locust's web UI: {url}"),
            Self::LeftoverLoadStopped { users } => {
                write!(f, "load is running already ({}); stopping it", many(*users, "user"))
            }
            Self::GeneratorCaveat { caveat } => f.write_str(caveat),
            Self::RunStarted { run_id, scenarios, recorded, expected_s, generator, target, .. } => {
                let planned =
                    scenarios.map_or("a search for capacities".to_owned(), |count| many(count, "scenario"));
                write!(f, "run {run_id}: {planned} against {target} with {generator}")?;
                if *recorded > 0 {
                    write!(f, "; {recorded} recorded already")?;
                }
                write!(f, "; about {} to go", minutes(*expected_s))
            }
            Self::ScenarioStarted { number, of, point, attempt, .. } => {
                f.write_str(&scenario_started(*number, *of, point, *attempt))
            }
            Self::WorkersRestarted { generator, wanted } => {
                write!(
                    f,
                    "  {generator} does not list {}; replacing their pods",
                    many(*wanted, "idle worker")
                )
            }
            Self::Waiting { subject, state, waited_s } => {
                write!(f, "  waiting for {subject}, for {waited_s} s: {state}")
            }
            Self::GeneratorRestarted { generator, reason } => {
                write!(f, "  {generator} cannot be used ({reason}); replacing its pods")
            }
            Self::PhaseDone { what, took_ms } => {
                write!(f, "  {what} ({})", seconds(Duration::from_millis(*took_ms)))
            }
            Self::Live { at_s, of_s, rps, median_us, p90_us, failures_pct, open, .. } => {
                let ms = |us: &Option<u64>| us.map_or("-".into(), |us| format!("{}ms", records::ms(us)));
                let (median, p90) = (ms(median_us), ms(p90_us));
                let failures = failures_pct.map_or("-".into(), |share| format!("{share:.1}%"));
                write!(
                    f,
                    "  [{at_s:.0}s/{of_s:.0}s] RPS: {rps:.1} | Median: {median} | P90: {p90} | Failures: {failures}"
                )?;
                open.map_or(Ok(()), |open| write!(f, " | {open}"))
            }
            Self::Signals { unsteady, accounted_pct, cpu_pct, lag_us } => {
                write!(f, "  {}", signals(unsteady.as_deref(), *accounted_pct, *cpu_pct, *lag_us))
            }
            Self::MeasurementExtended { reason } => write!(f, "  measuring on: {reason}"),
            Self::LoadStopUnanswered { generator, stops_after_s, error } => {
                write!(
                    f,
                    "  {generator} does not answer ({error}); its load stops by itself within {stops_after_s} s"
                )
            }
            Self::WholeRunMissing { error } => {
                write!(f, "  the figures of the whole run are missing: {error}")
            }
            Self::Retry { reasons } => write!(f, "  VOID, once more: {}", reasons.join("; ")),
            Self::Recovering => {
                f.write_str("  waiting until the cluster and the load generator answer again")
            }
            Self::ScenarioEnded { number, of, status, summary } => {
                write!(f, "[{}] {status}  {summary}", place(*number, *of))
            }
            Self::VerdictChanged { scenario, status, reasons } => {
                write!(f, "{scenario}: {status} after all: {}", reasons.join("; "))
            }
            Self::SamplesDropped { records } => {
                let records = many(*records, "record");
                write!(f, "  the cluster's copy has no per-second samples for {records}: no room")
            }
            Self::ProbeEnded { probe, users, rate, p95_us, outcome, next, found, .. } => {
                let load = rate.map_or_else(|| many(*users, "user"), |rate| format!("{rate} requests/s"));
                let p95 = p95_us.map_or("-".into(), |us| format!("{} ms", records::ms(us)));
                write!(f, "  probe {probe}: {load}, P95 {p95}, {outcome}{}", then(*next, found.as_deref()))
            }
            Self::RunEnded { recorded, valid, took_s } => {
                let recorded = many(*recorded, "recorded scenario");
                write!(f, "\nvalid: {valid} of {recorded}; the run took {}", minutes(*took_s))
            }
            Self::ReplicasRestored { deployments } => {
                let found: Vec<_> = deployments.iter().map(DeploymentReplicas::to_string).collect();
                write!(f, "replicas as found: {}", found.join(", "))
            }
            Self::RestoreFailed { error } => f.write_str(error),
            Self::JobSuspended => {
                f.write_str("interrupted: suspending the Job, which stops the load and keeps the records")
            }
            Self::JobContinues { pod, exit_code } => {
                write!(f, "the Job continues in pod {pod}, after exit code {exit_code}")
            }
            Self::CleanupStarted { namespace, server } => {
                write!(f, "cleaning up namespace {namespace} in {server}")
            }
            Self::Answer { text } | Self::Note { text } => f.write_str(text),
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, late, skipped } = self;
        write!(f, "open at {rate}/s: {late} late, {skipped} skipped")
    }
}

impl fmt::Display for DeploymentReplicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.deployment, self.replicas)
    }
}

fn signals(
    unsteady: Option<&str>,
    accounted_pct: Option<f64>,
    cpu_pct: Option<f64>,
    lag_us: Option<u64>,
) -> String {
    let mut said = vec![unsteady.map_or("steady".to_owned(), |why| format!("not steady: {why}"))];
    said.extend(accounted_pct.map(|share| format!("Little's law accounts for {share:.0} % of the users")));
    said.extend(cpu_pct.map(|share| format!("workers' CPU {share:.0} %")));
    said.extend(lag_us.map(|us| format!("event loop late by {} ms", records::ms(us))));
    said.join("; ")
}

/// How a scenario began.
fn scenario_started(number: usize, of: Option<usize>, point: &str, attempt: u32) -> String {
    let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
    format!("\n[{}] {point}{again}", place(number, of))
}

/// The load of the next probe, or what was found.
fn then(next: Option<f64>, found: Option<&str>) -> String {
    let next = next.map(|next| format!("; next {next}")).unwrap_or_default();
    next + &found.map(|found| format!("\n  {found}")).unwrap_or_default()
}

/// `3/4`, or `3` if the number of scenarios is not known.
fn place(number: usize, of: Option<usize>) -> String {
    of.map_or(number.to_string(), |of| format!("{number}/{of}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_line_has_its_documented_form() {
        let live = Progress::Live {
            at_s: 60.2,
            of_s: 120.0,
            rps: 18.51,
            median_us: Some(620_000),
            p90_us: Some(1_800_000),
            p95_us: None,
            failures_pct: Some(0.0),
            open: None,
        };
        assert_eq!(live.to_string(), "  [60s/120s] RPS: 18.5 | Median: 620ms | P90: 1800ms | Failures: 0.0%");
    }

    #[test]
    fn a_figure_that_was_not_measured_is_a_dash() {
        let live = Progress::Live {
            at_s: 2.0,
            of_s: 20.0,
            rps: 0.0,
            median_us: None,
            p90_us: None,
            p95_us: None,
            failures_pct: None,
            open: Some(Arrivals { rate: 12.5, late: 3, skipped: 0 }),
        };
        assert_eq!(
            live.to_string(),
            "  [2s/20s] RPS: 0.0 | Median: - | P90: - | Failures: - | open at 12.5/s: 3 late, 0 skipped"
        );
    }
}
