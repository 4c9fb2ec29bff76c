//! What the valid rows say, each sentence with the rows it rests on.

use super::{Row, many};
use crate::measure::Figures;

/// A sentence for the report.
pub(super) type Sentence = String;

/// Valid rows with the primary endpoint's figures.
fn valid<'r, 'a>(rows: &'r [Row<'a>]) -> Vec<(&'r Row<'a>, Figures)> {
    rows.iter().filter(|row| row.record.is_valid()).filter_map(|row| Some((row, row.primary?))).collect()
}

/// Best throughput, best latency, averages.
pub(super) fn key_findings(rows: &[Row<'_>]) -> Vec<Sentence> {
    let valid = valid(rows);
    let mut sentences = Vec::new();
    if let Some((row, best)) = valid.iter().max_by(|a, b| a.1.rps.total_cmp(&b.1.rps)) {
        sentences.push(format!("Best throughput: {:.1} requests/s with {}.", best.rps, row.point()));
    }
    let with_p95 = valid.iter().filter_map(|(row, figures)| Some((row, figures.p95_ms?)));
    if let Some((row, best)) = with_p95.clone().min_by_key(|(_, p95)| *p95) {
        sentences.push(format!("Best latency: P95 {best} ms with {}.", row.point()));
    }
    if !valid.is_empty() {
        let count = valid.len() as f64;
        let rps = valid.iter().map(|(_, figures)| figures.rps).sum::<f64>() / count;
        let failures = valid.iter().filter_map(|(_, figures)| figures.failures_pct).sum::<f64>() / count;
        sentences.push(format!(
            "Averages over {} valid scenarios: {rps:.1} requests/s, {failures:.2} % failed. \
             (Percentiles are not averaged: the mean of percentiles is no percentile.)",
            valid.len()
        ));
    }
    sentences
}

/// What more replicas bring, by rows that differ in nothing else.
pub(super) fn performance(rows: &[Row<'_>]) -> Vec<Sentence> {
    let valid = valid(rows);
    let mut sentences = Vec::new();
    for (row, figures) in &valid {
        let scenario = &row.record.scenario;
        let next = valid.iter().filter(|(other, _)| {
            let other = &other.record.scenario;
            other.workers == scenario.workers
                && other.users == scenario.users
                && other.replicas > scenario.replicas
        });
        if let Some((other, more)) = next.min_by_key(|(other, _)| other.record.scenario.replicas)
            && figures.rps > 0.0
        {
            let gain = more.rps / figures.rps;
            let factor = f64::from(other.record.scenario.replicas) / f64::from(scenario.replicas);
            let meaning = if gain >= 0.8 * factor {
                "the service scales with its replicas here"
            } else if gain >= 1.1 {
                "less than in proportion: part of the load no longer fills the replicas, or they share a limit"
            } else {
                "no gain: these users do not need more replicas, or something else limits them"
            };
            sentences.push(format!(
                "{} on {}: {} → {} replicas gives {:.1} → {:.1} requests/s (× {gain:.2} for × {factor:.2} replicas); {meaning}.",
                many(scenario.users, "user"), many(scenario.workers, "worker"), scenario.replicas, other.record.scenario.replicas, figures.rps, more.rps,
            ));
        }
    }
    sentences
}

/// Where latency is queueing, by rows that differ in users only.
pub(super) fn latency(rows: &[Row<'_>]) -> Vec<Sentence> {
    let valid = valid(rows);
    let mut sentences = Vec::new();
    for (row, figures) in &valid {
        let scenario = &row.record.scenario;
        let fewer = valid.iter().filter(|(other, _)| {
            let other = &other.record.scenario;
            other.workers == scenario.workers
                && other.replicas == scenario.replicas
                && other.users < scenario.users
        });
        if let Some((other, less)) = fewer.max_by_key(|(other, _)| other.record.scenario.users)
            && let (Some(now), Some(before)) = (figures.p95_ms, less.p95_ms)
            && less.rps > 0.0
            && figures.rps < 1.1 * less.rps
            && f64::from(now) > 1.3 * f64::from(before)
        {
            sentences.push(format!(
                "{}, {}: {} → {} users raises P95 from {before} to {now} ms while throughput stays at {:.1} requests/s: \
                 the replicas are full, and further users only wait. Add replicas, or allow fewer requests at a time.",
                many(scenario.replicas, "replica"), many(scenario.workers, "worker"), other.record.scenario.users, scenario.users, figures.rps,
            ));
        }
    }
    sentences
}
