//! Every planned scenario has its row in the results.

use std::path::Path;

use serde_json::Value;

use super::driver::Planned;
use crate::failure::{CLUSTER, Failure, SCENARIO};

const SUMMARY: &str = "auto_summary.csv";

pub(super) fn every_scenario_has_its_row(results: Option<&Path>, planned: &Planned) -> Result<(), Failure> {
    let Some(folder) = results else {
        return Err(Failure::new(
            CLUSTER,
            "the results: the job told no run id, so there was nothing to fetch",
            "please report this with the log of commands",
        ));
    };
    let path = folder.join(SUMMARY);
    let csv = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, "read", &error))?;
    let missing = missing(&csv, &planned.0);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        SCENARIO,
        format!(
            "{}: {} of {} scenarios have no row: {}",
            path.display(),
            missing.len(),
            planned.count(),
            missing.join("; ")
        ),
        "read results.jsonl and the log of the driver beside it",
    ))
}

/// The planned scenarios without a row of their own.
fn missing(csv: &str, planned: &[Value]) -> Vec<String> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let columns =
        ["Replicas", "Workers", "Users"].map(|name| header.iter().position(|column| column.trim() == name));
    let mut rows: Vec<[Option<u64>; 3]> = lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            columns.map(|column| cells.get(column?)?.trim().parse().ok())
        })
        .collect();
    let mut missing = Vec::new();
    for (number, scenario) in planned.iter().enumerate() {
        let wanted = ["replicas", "workers", "users"].map(|axis| scenario[axis].as_u64());
        // A row is used up by one scenario: repeats need rows of their own. A scenario that
        // does not tell its axes takes any row.
        let fits = |row: &[Option<u64>; 3]| wanted.iter().any(Option::is_none) || *row == wanted;
        if let Some(at) = rows.iter().position(fits) {
            rows.swap_remove(at);
        } else {
            let [replicas, workers, users] =
                wanted.map(|n| n.map_or_else(|| "?".to_owned(), |n| n.to_string()));
            missing.push(format!(
                "number {} ({replicas} replicas, {workers} workers, {users} users)",
                number + 1
            ));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HEADER: &str = "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status";

    fn scenario(replicas: u64, users: u64) -> Value {
        json!({"replicas": replicas, "workers": 2, "users": users, "id": "x"})
    }

    #[test]
    fn rows_in_any_order_are_enough() {
        let csv = format!("{HEADER}\n2,2,20,,,,,,,,,FAILED\n1,2,20,1,1,1,1,0,9,9,t,OK\n");
        assert!(missing(&csv, &[scenario(1, 20), scenario(2, 20)]).is_empty());
    }

    #[test]
    fn a_missing_row_is_named() {
        let csv = format!("{HEADER}\n1,2,20,1,1,1,1,0,9,9,t,OK\n");
        let missing = missing(&csv, &[scenario(1, 20), scenario(2, 20)]);
        assert_eq!(missing, ["number 2 (2 replicas, 2 workers, 20 users)"]);
    }

    #[test]
    fn a_repeat_needs_a_row_of_its_own() {
        let csv = format!("{HEADER}\n1,2,20,1,1,1,1,0,9,9,t,OK\n");
        assert_eq!(missing(&csv, &[scenario(1, 20), scenario(1, 20)]).len(), 1);
    }

    #[test]
    fn an_empty_file_has_no_rows() {
        assert_eq!(missing("", &[scenario(1, 20)]).len(), 1);
    }

    #[test]
    fn scenarios_without_axes_are_counted() {
        let csv = format!("{HEADER}\n1,2,20,1,1,1,1,0,9,9,t,OK\n");
        assert_eq!(missing(&csv, &[json!("a"), json!("b")]).len(), 1);
    }
}
