//! What was run, where and when.

use super::{Block, Section, Sentence};
use crate::events::minutes;
use crate::judge::JudgedRun;

/// The facts about the run.
pub(super) fn section(run: &JudgedRun<'_>) -> Section {
    let block = facts(run)
        .map_or_else(|| Block::Paragraph(Sentence::general("No scenario is recorded.")), Block::KeyValues);
    Section::new("run", "Run", vec![block])
}

/// The facts that the records share; `None` without a record.
fn facts(run: &JudgedRun<'_>) -> Option<Vec<(String, String)>> {
    let first = run.rows.first()?.record;
    let environment = &first.environment;
    let start = run.rows.iter().map(|row| row.record.started_at).min()?;
    let end = run.rows.iter().map(|row| row.record.finished_at).max()?;
    let took = minutes(end.duration_since(start).as_secs_f64());
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    add("Run", first.run_id.clone());
    add("Started", format!("{} UTC, took {took}", start.strftime("%Y-%m-%d %H:%M:%S")));
    add("Cluster", environment.cluster.clone());
    add("Target", format!("{}, primary endpoint {}", environment.target, environment.primary));
    add("Load", environment.generator.clone());
    for (deployment, image) in &environment.images {
        add(&format!("Image of {deployment}"), image.clone());
    }
    add("Scenarios", format!("{} recorded, {} valid", run.rows.len(), run.valid()));
    if let Some(seed) = environment.order_seed {
        add("Order", format!("shuffled with seed {seed}"));
    }
    let digits = environment.percentile_digits;
    add("Percentiles", format!("nearest rank, from merged histograms of {digits} significant digits"));
    let provenance = &environment.provenance;
    for (deployment, id) in &provenance.image_ids {
        add(&format!("Resolved image of {deployment}"), id.clone());
    }
    for (name, value) in [
        ("Driver", &provenance.driver),
        ("Kubernetes", &provenance.kubernetes),
        ("Kernel of the driver's node", &provenance.kernel),
        ("Nodes", &provenance.nodes.join(", ")),
        ("Plan hash", &first.plan_hash),
    ] {
        if !value.is_empty() {
            add(name, value.clone());
        }
    }
    if !provenance.settings.is_null() {
        add("Settings", provenance.settings.to_string());
    }
    if first.stopping_rule.as_ref().is_some_and(|rule| !rule.exact) {
        add(
            "Caution",
            "Locust runs without the module locust_matrix.py: both ends of a window are off by up to 3 s, and \
             whether the figures were steady is not judged"
                .to_owned(),
        );
    }
    Some(facts)
}
