//! Checks that every planned scenario has a record in the results.

use std::collections::BTreeSet;
use std::path::Path;

use records::Scenario;

use super::driver::Plan;
use crate::failure::{CLUSTER, Failure, SCENARIO};

pub(super) fn every_scenario_has_its_record(results: Option<&Path>, planned: &Plan) -> Result<(), Failure> {
    let Some(folder) = results else {
        return Err(Failure::new(
            CLUSTER,
            "the results: the job printed no run id, so nothing could be fetched",
            "please report this with the log of commands",
        ));
    };
    let path = folder.join(records::FILE_NAME);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, "read", &error))?;
    // A search decides on each scenario when it knows the outcome of the last one. It has at least one.
    if planned.is_search() && recorded(&text) == 0 {
        return Err(Failure::new(
            SCENARIO,
            format!("{}: the search has no record", path.display()),
            "read the log of the driver in commands.log",
        ));
    }
    let missing = missing(&text, &planned.0);
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

/// The number of scenarios that have a complete record.
pub(super) fn recorded(text: &str) -> usize {
    let records = records::read_complete_lines(text);
    records.iter().map(|record| record.scenario.id.as_str()).collect::<BTreeSet<_>>().len()
}

/// The ids of the planned scenarios that have no record. Half a line is no record.
fn missing(text: &str, planned: &[Scenario]) -> Vec<String> {
    let records = records::read_complete_lines(text);
    let recorded: BTreeSet<&str> = records.iter().map(|record| record.scenario.id.as_str()).collect();
    let ids = planned.iter().map(|scenario| scenario.id.as_str());
    ids.filter(|id| !recorded.contains(id)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_records::{record, scenario};

    fn planned(ids: &[&str]) -> Vec<Scenario> {
        ids.iter().map(|id| scenario(id, 1, 2, 20)).collect()
    }

    fn lines(ids: &[&str]) -> String {
        let line = |scenario| serde_json::to_string(&record(scenario)).unwrap() + "\n";
        planned(ids).into_iter().map(line).collect()
    }

    #[test]
    fn records_of_both_models_in_any_order_are_complete() {
        let ids = ["closed-r1-w2-u20-1", "open-r1-w2-q20-1", "closed-r1-w2-u20-2"];
        let found = lines(&[ids[2], ids[0], ids[1]]);
        assert_eq!(missing(&found, &planned(&ids)), [""; 0]);
    }

    #[test]
    fn a_scenario_without_a_complete_record_is_named() {
        let ids = ["closed-r1-w2-u20-1", "closed-r1-w2-u20-2"];
        let found = lines(&ids);
        assert_eq!(missing(&found[..found.len() - 20], &planned(&ids)), ["closed-r1-w2-u20-2"]);
    }

    #[test]
    fn a_search_needs_a_record_and_no_particular_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(records::FILE_NAME);
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            every_scenario_has_its_record(Some(folder.path()), &Plan(Vec::new()))
        };
        assert!(check(&lines(&["closed-r1-w2-u8-1", "closed-r1-w2-u36-1"])).is_ok());
        assert!(check("").unwrap_err().what.contains("the search has no record"));
    }

    #[test]
    fn empty_results_miss_every_scenario() {
        assert_eq!(missing("", &planned(&["a", "b"])), ["a", "b"]);
    }
}
