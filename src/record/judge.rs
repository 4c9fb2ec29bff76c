//! Whether a scenario's figures are what they are called: from its record alone, so that a report can judge
//! anew what was recorded long ago.

use super::{Judgement, Record, Verdict};
use crate::measure::{
    Estimate, MOST_SHARE, Strain, Window, changes, not_offered, percentile_name, samples_needed,
};

/// Locust's own figure for a worker's CPU, % of one core, where the worker does not tell its health.
const CPU_PERCENT: f64 = 90.0;

/// Judges a record by itself. What only other records can tell, such as more throughput with more workers,
/// is the report's.
pub fn judge(record: &Record) -> Verdict {
    if record.version < 2 {
        return record.verdict.clone();
    }
    if let Some(unmeasured) = &record.unmeasured {
        return unmeasured_by(record, unmeasured);
    }
    let Some(window) = &record.window else {
        return Verdict::of(Judgement::Failed, "no window was measured");
    };
    let all = [
        (Judgement::Failed, failed(record, window)),
        (Judgement::Void, void(record)),
        (Judgement::LoadgenLimited, limited(record)),
        (Judgement::Unstable, unstable(record)),
        (Judgement::Imbalanced, imbalanced(record)),
        (Judgement::Undersampled, undersampled(record, window)),
    ];
    let findings =
        all.into_iter().flat_map(|(judgement, reasons)| reasons.into_iter().map(move |r| (judgement, r)));
    Verdict::from_findings(findings.collect())
}

/// What could not be measured because its pods changed is void, and worth another try.
fn unmeasured_by(record: &Record, verdict: &Verdict) -> Verdict {
    let mut reasons = void(record);
    if verdict.judgement != Judgement::Failed || reasons.is_empty() {
        return verdict.clone();
    }
    reasons.extend(verdict.reasons.iter().cloned());
    Verdict { judgement: Judgement::Void, reasons }
}

fn failed(record: &Record, window: &Window) -> Vec<String> {
    let primary = &record.setting.primary;
    let mut reasons = Vec::new();
    match window.endpoint(primary) {
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
    let told = |what: &str, changes: &[String]| {
        (!changes.is_empty())
            .then(|| format!("the {what} changed while it was measured: {}", changes.join(", ")))
    };
    [told("replicas", &replicas), told("Locust workers", &workers), record.disturbed.clone()]
        .into_iter()
        .flatten()
        .collect()
}

fn limited(record: &Record) -> Vec<String> {
    let reasons = record.workers.iter().filter_map(|worker| {
        let limits = match worker.over_window().as_ref().and_then(Strain::of) {
            Some(strain) => strain.limits(),
            None if worker.cpu_percent >= CPU_PERCENT => {
                vec![format!("used {:.0} % of a core", worker.cpu_percent)]
            }
            None => Vec::new(),
        };
        (!limits.is_empty()).then(|| format!("worker {} {}", worker.pod(), limits.join(" and ")))
    });
    reasons.collect()
}

fn unstable(record: &Record) -> Vec<String> {
    let Some(course) = &record.course else { return Vec::new() };
    let offered = record.open.as_ref().and_then(not_offered);
    course.unsettled(&record.parts).into_iter().chain(offered).collect()
}

fn imbalanced(record: &Record) -> Vec<String> {
    let share = record.busiest_over_mean().filter(|share| *share > MOST_SHARE);
    let busiest = record.replicas.iter().max_by_key(|replica| replica.total());
    let told = share.zip(busiest);
    told.map(|(share, busiest)| format!("{} got {share:.2} times the mean of the replicas", busiest.pod))
        .into_iter()
        .collect()
}

fn undersampled(record: &Record, window: &Window) -> Vec<String> {
    let Some(primary) = window.endpoint(&record.setting.primary) else { return Vec::new() };
    let missing = record.objective.goals().into_iter().filter_map(|(share, _)| {
        let estimate = Estimate::of(&primary.histogram, share);
        (!estimate.is_sampled()).then(|| {
            let (name, needed) = (percentile_name(share), samples_needed(share));
            format!("{} samples are too few for {name}, which needs {needed}", estimate.samples)
        })
    });
    missing.collect()
}

#[cfg(test)]
mod tests;
