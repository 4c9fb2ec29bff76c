//! Judges one record by itself.

use records::{Mode, Record, Unmeasured, UnmeasuredKind, Window};

use super::verdict::{Judgement, Verdict};
use crate::measure::{
    Busiest, CPU_LIMIT, ComparedBy, Estimate, KeepsUp, MOST_IMBALANCE, Saturation, busiest, changes,
    not_offered, percentile_name, samples_needed, unsteady_because, window_from,
};

/// Judges a record by itself. [`super::JudgedRun`] adds the findings that need several records.
pub fn judge_alone(record: &Record) -> Judgement {
    if let Some(unmeasured) = &record.unmeasured {
        return not_measured(record, unmeasured);
    }
    let Some(window) = &record.window else {
        return Judgement::of(Verdict::Failed, "no window was measured");
    };
    let all = [
        (Verdict::Failed, failed(record, window)),
        (Verdict::Void, void(record)),
        (Verdict::LoadgenLimited, limited(record)),
        (Verdict::Errors, errors(record, window)),
        (Verdict::Overloaded, overloaded(record)),
        (Verdict::Unstable, unstable(record)),
        (Verdict::Imbalanced, imbalanced(record)),
        (Verdict::Undersampled, undersampled(record, window)),
    ];
    let findings =
        all.into_iter().flat_map(|(verdict, reasons)| reasons.into_iter().map(move |r| (verdict, r)));
    Judgement::from_findings(findings.collect())
}

/// A scenario that could not be measured because its pods changed is VOID, and worth another try.
fn not_measured(record: &Record, unmeasured: &Unmeasured) -> Judgement {
    let changed = void(record);
    let (verdict, mut reasons) = match unmeasured.kind {
        UnmeasuredKind::NoPlace => (Verdict::Infeasible, Vec::new()),
        UnmeasuredKind::Broken if changed.is_empty() => (Verdict::Failed, Vec::new()),
        UnmeasuredKind::GeneratorLate if changed.is_empty() => (Verdict::LoadgenLimited, Vec::new()),
        UnmeasuredKind::Broken | UnmeasuredKind::GeneratorLate | UnmeasuredKind::Disturbed => {
            (Verdict::Void, changed)
        }
    };
    for reason in &unmeasured.reasons {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    Judgement { verdict, reasons }
}

fn failed(record: &Record, window: &Window) -> Vec<String> {
    let primary = &record.environment.primary;
    let mut reasons = Vec::new();
    match window.endpoint(primary) {
        // Counts that fell back can look like no requests at all: that is VOID.
        _ if window.aggregated.requests == 0 && (record.resets > 0 || record.disturbed.is_some()) => {}
        _ if window.aggregated.requests == 0 => reasons.push("no request finished in the window".to_owned()),
        Some(counts) if counts.requests > 0 && counts.failures < counts.requests => {}
        Some(counts) if counts.requests > 0 => reasons.push(format!("every request to {primary} failed")),
        _ => reasons.push(format!("no request to {primary} finished in the window")),
    }
    if let Some((message, count)) = record.exceptions.first() {
        reasons.push(format!("the test script raised {count} times: {message}"));
    }
    reasons
}

fn void(record: &Record) -> Vec<String> {
    let members = record.membership.clone().unwrap_or_default();
    let replicas = changes(&members.replicas_before, &members.replicas_after);
    let workers = changes(&members.workers_before, &members.workers_after);
    let reason = |what: &str, changes: &[String]| {
        (!changes.is_empty())
            .then(|| format!("the {what} changed while it was measured: {}", changes.join(", ")))
    };
    let reset = (record.resets > 0).then(|| "the statistics were reset while it was measured".to_owned());
    [reason("replicas", &replicas), reason("Locust workers", &workers), record.disturbed.clone(), reset]
        .into_iter()
        .flatten()
        .collect()
}

fn limited(record: &Record) -> Vec<String> {
    let reasons = record.workers.iter().filter_map(|worker| {
        let limits = match worker.over_window().as_ref().and_then(Saturation::of) {
            Some(saturation) => saturation.limits(),
            None if worker.cpu_percent >= 100.0 * CPU_LIMIT => {
                vec![format!("used {:.0} % of a core", worker.cpu_percent)]
            }
            None => Vec::new(),
        };
        (!limits.is_empty()).then(|| format!("worker {} {}", worker.pod(), limits.join(" and ")))
    });
    reasons.collect()
}

/// The failed requests of the primary endpoint, if they are more than the objective allows. A service that fails fast
/// looks like the fastest of all.
fn errors(record: &Record, window: &Window) -> Vec<String> {
    let Some(counts) = window.endpoint(&record.environment.primary).filter(|counts| counts.requests > 0)
    else {
        return Vec::new();
    };
    let failed_pct = 100.0 * counts.failures as f64 / counts.requests as f64;
    let most_pct = record.objective.most_failures_pct();
    (failed_pct > most_pct)
        .then(|| {
            format!(
                "{failed_pct:.2} % of {} requests to {} failed, more than {most_pct} %",
                counts.requests, record.environment.primary
            )
        })
        .into_iter()
        .collect()
}

/// How the service falls behind the rate of the open model.
fn overloaded(record: &Record) -> Vec<String> {
    let Some(rule) = &record.stopping_rule else { return Vec::new() };
    // Not before the window: while the first requests are under way, none can have finished.
    let window = &record.intervals[window_from(rule, &record.intervals)..];
    let keeps_up = KeepsUp::over(window).filter(KeepsUp::is_overloaded);
    let reason = |keeps_up: KeepsUp| {
        format!(
            "of {:.1} requests/s, {:.1} finish; requests under way grow by {:.1} each second",
            keeps_up.offered, keeps_up.finished, keeps_up.growth
        )
    };
    keeps_up.map(reason).into_iter().collect()
}

fn unstable(record: &Record) -> Vec<String> {
    let Some(rule) = &record.stopping_rule else { return Vec::new() };
    let offered = record.open.as_ref().and_then(not_offered);
    unsteady_because(rule, &record.intervals).into_iter().chain(offered).collect()
}

fn imbalanced(record: &Record) -> Vec<String> {
    let is_closed = record.scenario.mode == Mode::Closed;
    let found = busiest(&record.replicas, is_closed).filter(|busiest| busiest.ratio > MOST_IMBALANCE);
    let reason = |Busiest { pod, ratio, by }: Busiest<'_>| match by {
        ComparedBy::UnderWay => {
            format!("{pod} had {ratio:.2} times the mean of the requests under way per replica")
        }
        ComparedBy::Requests => format!("{pod} got {ratio:.2} times the mean of the requests per replica"),
    };
    found.map(reason).into_iter().collect()
}

fn undersampled(record: &Record, window: &Window) -> Vec<String> {
    let Some(primary) = window.endpoint(&record.environment.primary) else { return Vec::new() };
    let missing = record.objective.goals().into_iter().filter_map(|(quantile, _)| {
        let estimate = Estimate::of(&primary.histogram, quantile);
        (!estimate.is_sampled()).then(|| {
            let (name, needed) = (percentile_name(quantile), samples_needed(quantile));
            format!("{} samples are too few for {name}, which needs {needed}", estimate.samples)
        })
    });
    missing.collect()
}

#[cfg(test)]
mod tests;
