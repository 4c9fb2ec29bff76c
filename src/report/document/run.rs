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
        let ids = environment.image_ids.get(deployment).into_iter().flatten();
        // The digest alone: the rest of it repeats the image's name.
        let digests: Vec<_> =
            ids.map(|id| id.rsplit_once('@').map_or(id.as_str(), |(_, digest)| digest)).collect();
        let ran = if digests.is_empty() { String::new() } else { format!(" ({})", digests.join(", ")) };
        add(&format!("Image of {deployment}"), format!("{image}{ran}"));
    }
    for (container, limits) in &environment.limits {
        add(&format!("Limits of {container}"), limits.clone());
    }
    add("Scenarios", format!("{} recorded, {} valid", run.rows.len(), run.valid()));
    if let Some(seed) = environment.order_seed {
        add("Order", format!("shuffled with seed {seed}"));
    }
    let digits = environment.percentile_digits;
    add("Percentiles", format!("nearest rank, from merged histograms of {digits} significant digits"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn the_image_that_ran_and_the_limits_that_the_cluster_has_set_are_shown() {
        let mut record = record(0, 1, 20, 80);
        record.environment.images = [("bert".to_owned(), "bert:latest".to_owned())].into();
        let id = "docker.io/library/bert@sha256:12ab".to_owned();
        record.environment.image_ids = [("bert".to_owned(), [id].into())].into();
        record.environment.limits = [("bert".to_owned(), "cpu 200m (set by the cluster)".to_owned())].into();
        let records = [record];
        let facts = facts(&JudgedRun::of(&records)).unwrap();
        let value =
            |name: &str| facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("Image of bert"), Some("bert:latest (sha256:12ab)"));
        assert_eq!(value("Limits of bert"), Some("cpu 200m (set by the cluster)"));
    }
}
