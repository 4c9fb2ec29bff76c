//! Whether a run's folder has every scenario of its plan, once, with the totals that the replicas counted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use e2e::namespace::Problem;
use e2e::results::{HEADER, are_totals_known, attempt, scenario_id, totals_differ};
use serde_json::Value;

/// What rows without a measurement say. All others cite figures.
const CLAIMS_NOTHING: [&str; 3] = ["VOID", "FAILED", "INFEASIBLE"];

/// The errors that were found in the records of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Faulty {
    /// Scenarios of the plan without a record or without a row.
    pub(crate) lost: Vec<String>,
    /// Scenarios with two rows, or with two records of the same attempt.
    pub(crate) twice: Vec<String>,
    /// Rows that cite figures although their totals differ from the replicas' own counts.
    pub(crate) wrong: Vec<String>,
    /// Rows that cite figures and whose totals are not known, as after the restart of a replica behind the window.
    pub(crate) unknown: Vec<String>,
    /// Anything else, such as a line that is not a record.
    pub(crate) other: Vec<String>,
    /// Why rows have no figures, for people: a fault that passes should not cost a row.
    pub(crate) unmeasured: Vec<String>,
    /// How many rows have each status.
    pub(crate) statuses: BTreeMap<String, usize>,
}

/// Compares a run's folder with the plan. The CSV has the last attempt at each scenario.
pub(crate) fn examine(run: &Path, plan: &[(u32, u32, u32)]) -> Faulty {
    let mut found = Faulty::default();
    let records = text(&run.join("results.jsonl"));
    let csv = text(&run.join("auto_summary.csv"));
    let (records, csv) = match (records, csv) {
        (Ok(records), Ok(csv)) => (records, csv),
        (records, csv) => {
            found.other.extend([records.err(), csv.err()].into_iter().flatten());
            return Faulty { lost: plan.iter().map(name).collect(), ..found };
        }
    };
    compare(&records, &csv, plan, found)
}

fn text(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn name(point: &(u32, u32, u32)) -> String {
    let (replicas, workers, users) = point;
    format!("closed-r{replicas}-w{workers}-u{users}-1")
}

fn compare(records: &str, csv: &str, plan: &[(u32, u32, u32)], mut found: Faulty) -> Faulty {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (number, line) in (1..).zip(records.lines()) {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            found.other.push(format!("line {number} of the records is not JSON"));
            continue;
        };
        let id = scenario_id(&record).to_owned();
        if !seen.insert((id.clone(), attempt(&record))) {
            found.twice.push(format!("{id}: attempt {} has two records", attempt(&record)));
        }
        last.insert(id, record);
    }
    let mut lines = csv.lines();
    if lines.next() != Some(HEADER) {
        found.other.push("the CSV has another header".into());
    }
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for point in plan {
        let id = name(point);
        let wanted = [point.0, point.1, point.2].map(|number| number.to_string());
        let own: Vec<_> = rows.iter().filter(|row| row.iter().take(3).eq(wanted.iter())).collect();
        let record = last.get(&id);
        if own.is_empty() || record.is_none() {
            found.lost.push(id.clone());
        }
        if own.len() > 1 {
            found.twice.push(format!("{id}: {} rows", own.len()));
        }
        if let (Some(row), Some(record)) = (own.first(), record) {
            let status = row.last().copied().unwrap_or_default();
            *found.statuses.entry(status.to_owned()).or_default() += 1;
            if CLAIMS_NOTHING.contains(&status) {
                let why = [&record["unmeasured"], &record["disturbed"]].map(Value::to_string).join(" ");
                found.unmeasured.push(format!("{id}: {status}: {why}"));
                continue;
            }
            if are_totals_known(record) {
                found.wrong.extend(totals_differ(record).map(|difference| format!("{id}: {difference}")));
            } else {
                found.unknown.push(id);
            }
        }
    }
    let planned: BTreeSet<String> = plan.iter().map(name).collect();
    found
        .other
        .extend(last.keys().filter(|id| !planned.contains(*id)).map(|id| format!("{id} is not planned")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAN: [(u32, u32, u32); 2] = [(1, 2, 4), (2, 2, 4)];

    fn record(replicas: u32, attempt: u32, locust: u64, own: u64) -> String {
        json!({
            "scenario": { "id": name(&(replicas, 2, 4)) },
            "attempt": attempt,
            "whole_run": { "aggregated": { "requests": locust, "failures": 0 } },
            "replicas": [{ "name": "a", "requests": { "predict 200": own } }],
        })
        .to_string()
    }

    fn csv(rows: &[(u32, &str)]) -> String {
        let row = |(replicas, status): &(u32, &str)| format!("{replicas},2,4,1,1,1,1,0,1,1,t,{status}\n");
        format!("{HEADER}\n{}", rows.iter().map(row).collect::<String>())
    }

    #[test]
    fn a_complete_run_has_no_fault() {
        let records = [record(1, 1, 5, 5), record(2, 1, 9, 7), record(2, 2, 6, 6)].join("\n");
        let rows = csv(&[(1, "SUCCESS"), (2, "SUCCESS")]);
        let found = compare(&records, &rows, &PLAN, Faulty::default());
        let statuses = BTreeMap::from([("SUCCESS".to_owned(), 2)]);
        assert_eq!(found, Faulty { statuses, ..Faulty::default() }, "the first attempt does not count");
    }

    #[test]
    fn each_fault_is_found_and_named() {
        let records = [record(1, 1, 5, 5), record(1, 1, 5, 5), "{half".into()].join("\n");
        let found = compare(&records, &csv(&[(1, "SUCCESS"), (1, "SUCCESS")]), &PLAN, Faulty::default());
        assert_eq!(found.lost, ["closed-r2-w2-u4-1"]);
        assert_eq!(found.twice.len(), 2, "{found:?}");
        assert_eq!(found.other, ["line 3 of the records is not JSON"]);
        let records = [record(1, 1, 5, 4), record(2, 1, 5, 4)].join("\n");
        let found = compare(&records, &csv(&[(1, "SUCCESS"), (2, "VOID")]), &PLAN, Faulty::default());
        assert_eq!(found.wrong.len(), 1, "a row that is void claims nothing: {found:?}");
        assert!(found.wrong[0].starts_with("closed-r1-w2-u4-1: "), "{found:?}");
    }

    #[test]
    fn counts_that_a_replica_has_forgotten_are_unknown_and_not_wrong() {
        let forgotten = record(1, 1, 5, 5).replace("{\"predict 200\":5}", "null");
        let records = [forgotten, record(2, 1, 5, 5)].join("\n");
        let found = compare(&records, &csv(&[(1, "SUCCESS"), (2, "FAILED")]), &PLAN, Faulty::default());
        assert_eq!((found.unknown, found.wrong), (vec!["closed-r1-w2-u4-1".to_owned()], Vec::new()));
        assert_eq!(found.unmeasured, ["closed-r2-w2-u4-1: FAILED: null null"]);
    }
}
