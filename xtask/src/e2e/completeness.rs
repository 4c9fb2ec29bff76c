//! Checks that every planned scenario has a record in the results.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::driver::Plan;
use crate::failure::{CLUSTER, Failure, SCENARIO};

const RECORDS: &str = "results.jsonl";

pub(super) fn every_scenario_has_its_record(results: Option<&Path>, planned: &Plan) -> Result<(), Failure> {
    let Some(folder) = results else {
        return Err(Failure::new(
            CLUSTER,
            "the results: the job printed no run id, so nothing could be fetched",
            "please report this with the log of commands",
        ));
    };
    let path = folder.join(RECORDS);
    let records = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, "read", &error))?;
    let missing = missing(&records, &planned.0);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        SCENARIO,
        format!(
            "{}: {} of {} scenarios have no record: {}",
            path.display(),
            missing.len(),
            planned.count(),
            missing.join(", ")
        ),
        "read the log of the driver in commands.log",
    ))
}

/// The ids of the planned scenarios that have no record.
fn missing(records: &str, planned: &[Value]) -> Vec<String> {
    let records = records.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let recorded: BTreeSet<String> =
        records.filter_map(|record| Some(record["scenario"]["id"].as_str()?.to_owned())).collect();
    let ids = planned.iter().map(|scenario| scenario["id"].as_str().unwrap_or("a scenario without an id"));
    ids.filter(|id| !recorded.contains(*id)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn planned(ids: &[&str]) -> Vec<Value> {
        ids.iter().map(|id| json!({ "id": id, "replicas": 1, "workers": 2, "users": 20 })).collect()
    }

    fn records(ids: &[&str]) -> String {
        let lines = ids.iter().map(|id| json!({ "version": 1, "scenario": { "id": id } }).to_string() + "\n");
        lines.collect()
    }

    #[test]
    fn records_of_both_models_in_any_order_are_complete() {
        let ids = ["closed-r1-w2-u20-1", "open-r1-w2-q20-1", "closed-r1-w2-u20-2"];
        let found = records(&[ids[2], ids[0], ids[1]]);
        assert_eq!(missing(&found, &planned(&ids)), [""; 0]);
    }

    #[test]
    fn a_scenario_without_a_complete_record_is_named() {
        let found = records(&["closed-r1-w2-u20-1"]) + "{\"scenario\": {\"id\": \"closed-r1-w2-u20-2";
        assert_eq!(
            missing(&found, &planned(&["closed-r1-w2-u20-1", "closed-r1-w2-u20-2"])),
            ["closed-r1-w2-u20-2"]
        );
    }

    #[test]
    fn empty_results_and_a_scenario_without_an_id_are_incomplete() {
        assert_eq!(missing("", &planned(&["a"])), ["a"]);
        assert_eq!(missing(&records(&["a"]), &[json!({})]), ["a scenario without an id"]);
    }
}
