//! Judges one record by itself.

use records::{Mode, Record, Unmeasured, UnmeasuredKind, Window};

use super::cause::Cause;
use super::verdict::{Finding, Judgement, Verdict};
use crate::measure::{
    Busiest, CPU_LIMIT, ComparedBy, Estimate, KeepsUp, MOST_IMBALANCE, Saturation, busiest, changes,
    not_offered, percentile_name, samples_needed, unsteady,
};

/// The endpoints that are named if the primary one got no requests.
const MOST_NAMED: usize = 5;

/// Judges a record by itself. [`super::JudgedRun`] adds the findings that need several records.
pub fn judge_alone(record: &Record) -> Judgement {
    if let Some(unmeasured) = &record.unmeasured {
        return not_measured(record, unmeasured);
    }
    let Some(window) = &record.window else {
        return Judgement::of(Verdict::Failed, "no window was measured");
    };
    let of = |verdict: Verdict| move |(cause, reason): (Cause, String)| Finding { verdict, cause, reason };
    let with = |verdict: Verdict, reasons: Vec<String>| {
        reasons.into_iter().map(move |reason| Finding { verdict, cause: verdict.cause(), reason })
    };
    let mut findings: Vec<Finding> = failed(record, window).into_iter().map(of(Verdict::Failed)).collect();
    findings.extend(void(record).into_iter().map(of(Verdict::Void)));
    // Where nothing was measured, how steady, busy or balanced it was is noise beside the reason.
    if window.aggregated.requests > 0 {
        findings.extend(with(Verdict::LoadgenLimited, limited(record)));
        findings.extend(with(Verdict::Errors, errors(record, window)));
        findings.extend(with(Verdict::Overloaded, overloaded(record)));
        findings.extend(unstable(record).into_iter().map(of(Verdict::Unstable)));
        findings.extend(with(Verdict::Imbalanced, imbalanced(record)));
        findings.extend(with(Verdict::Undersampled, undersampled(record, window)));
    }
    Judgement::from_findings(findings)
}

/// A scenario that could not be measured because its pods changed is VOID, and worth another try.
fn not_measured(record: &Record, unmeasured: &Unmeasured) -> Judgement {
    let own = Cause::of_obstacle(unmeasured.kind);
    let changed = void(record);
    let (verdict, mut all) = match unmeasured.kind {
        UnmeasuredKind::NoPlace => (Verdict::Infeasible, Vec::new()),
        // If the script sends its workers home, they are replaced: that is no reason of its own.
        UnmeasuredKind::ScriptCannot | UnmeasuredKind::ScriptEnds => (Verdict::Failed, Vec::new()),
        UnmeasuredKind::Broken
        | UnmeasuredKind::NotReady
        | UnmeasuredKind::Unreachable
        | UnmeasuredKind::EveryRequestFailed
            if changed.is_empty() =>
        {
            (Verdict::Failed, Vec::new())
        }
        UnmeasuredKind::GeneratorLate if changed.is_empty() => (Verdict::LoadgenLimited, Vec::new()),
        _ => (Verdict::Void, changed),
    };
    for reason in &unmeasured.reasons {
        if !all.iter().any(|(_, known)| known == reason) {
            all.push((own, reason.clone()));
        }
    }
    let (causes, reasons) = all.into_iter().unzip();
    Judgement { verdict, reasons, causes }
}

fn failed(record: &Record, window: &Window) -> Vec<(Cause, String)> {
    let primary = &record.environment.primary;
    let mut reasons = Vec::new();
    match window.endpoint(primary) {
        // Counts that fell back can look like no requests at all: that is VOID.
        _ if window.aggregated.requests == 0 && (record.resets > 0 || record.disturbed.is_some()) => {}
        _ if window.aggregated.requests == 0 => {
            reasons.push((Cause::NoRequests, "no request finished in the window".to_owned()));
        }
        Some(counts) if counts.requests > 0 && counts.failures < counts.requests => {}
        Some(counts) if counts.requests > 0 => {
            reasons.push((Cause::EveryRequestFailed, format!("every request to {primary} failed")));
        }
        _ => {
            let others = others(window);
            reasons.push((
                Cause::OtherEndpoints,
                format!("no request to {primary} finished in the window, only to {others}"),
            ));
        }
    }
    if let Some((message, count)) = record.exceptions.first() {
        reasons.push((Cause::ScriptError, format!("the test script raised {count} times: {message}")));
    }
    reasons
}

/// The endpoints that got requests, the busiest first.
fn others(window: &Window) -> String {
    let mut busy: Vec<_> = window.endpoints.iter().filter(|endpoint| endpoint.requests > 0).collect();
    busy.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.requests));
    let mut names: Vec<_> = busy.iter().take(MOST_NAMED).map(|endpoint| endpoint.label()).collect();
    if busy.len() > MOST_NAMED {
        names.push(format!("{} others", busy.len() - MOST_NAMED));
    }
    if names.is_empty() { "other endpoints".to_owned() } else { names.join(", ") }
}

fn void(record: &Record) -> Vec<(Cause, String)> {
    let members = record.membership.clone().unwrap_or_default();
    let replicas = changes(&members.replicas_before, &members.replicas_after);
    let workers = changes(&members.workers_before, &members.workers_after);
    let reason = |what: &str, changes: &[String]| {
        let words = || format!("the {what} changed while it was measured: {}", changes.join(", "));
        (!changes.is_empty()).then(|| (Cause::PodsChanged, words()))
    };
    let reset = || (Cause::Reset, "the statistics were reset while it was measured".to_owned());
    [
        reason("replicas", &replicas),
        reason("Locust workers", &workers),
        record.disturbed.clone().map(|why| (Cause::Disturbed, why)),
        (record.resets > 0).then(reset),
    ]
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
    let keeps_up = KeepsUp::of(rule, &record.intervals).filter(KeepsUp::is_overloaded);
    let reason = |keeps_up: KeepsUp| {
        format!(
            "of {:.1} requests/s, {:.1} finish; requests under way grow by {:.1} each second",
            keeps_up.offered, keeps_up.finished, keeps_up.growth
        )
    };
    keeps_up.map(reason).into_iter().collect()
}

fn unstable(record: &Record) -> Vec<(Cause, String)> {
    let Some(rule) = &record.stopping_rule else { return Vec::new() };
    let offered = record
        .open
        .as_ref()
        .zip(record.window.as_ref())
        .and_then(|(open, window)| not_offered(open, window.seconds))
        .map(|why| (Cause::NotOffered, why));
    let unsteady = unsteady(rule, &record.intervals).map(|(what, why)| (Cause::of_unsteady(what), why));
    unsteady.into_iter().chain(offered).collect()
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
