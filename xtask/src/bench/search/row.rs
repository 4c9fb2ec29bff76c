//! What became of a search for the capacity of one number of replicas, beside the truth.

use std::collections::BTreeMap;

use records::Record;
use serde_json::Value;

use crate::failure::Failure;

/// A capacity within this share of the truth is right.
const RIGHT: f64 = 0.05;
/// The share of searches that must be right: 18 of 20.
const MOSTLY: f64 = 0.9;
const MOST_PROBES: u64 = 7;
/// The most time of a search in times of the full grid.
const MOST_TIME: f64 = 1.0 / 3.0;
/// Time of one number of replicas in the preset `full`: 6 scenarios of 149 s, as
/// `locust-matrix plan --preset full --replicas 1` says.
const FULL_GRID_S: f64 = 6.0 * 149.0;

/// P95 of the objective, ms.
pub(super) const P95_MS: f64 = 500.0;
/// Beyond this factor from the objective, a search does not use a probe for its estimate.
const NEAR: f64 = 1.5;

pub(super) const HEAD: &str = "\
| service | seed | replicas | capacity, users | interval | confirmed | closed queue | with these connections | difference, % | probes | time, s | full grid, s | ratio |
|---|---:|---:|---:|---|---|---:|---:|---:|---:|---:|---:|---:|";

/// The answers of the closed queue, by what was asked.
#[derive(Debug)]
pub(super) struct Simulated(BTreeMap<String, f64>);

impl Simulated {
    /// Lines with what was asked and the answer.
    pub(super) fn parse(lines: &str) -> Result<Self, Failure> {
        let line = |line: &str| {
            let (asked, answer) = line.split_once(' ')?;
            Some((asked.to_owned(), answer.parse().ok()?))
        };
        let all = lines.lines().map(line).collect::<Option<_>>();
        all.map(Self).ok_or_else(|| Failure::bug(format!("closed_queue: not pairs of numbers: {lines}")))
    }

    /// The users that the probes of these replicas would give a search: its estimates from P95 by the law of a closed
    /// loop, with the users that each replica has had. `None` if these are not known.
    fn with_connections(&self, records: &[Record], replicas: u64) -> Option<f64> {
        // Of one number of replicas, the first probe only tells the throughput.
        let own = records.iter().filter(|record| u64::from(record.scenario.replicas) == replicas).skip(1);
        let estimate = |record: &Record| {
            let ratio = P95_MS / self.0.get(&spread(record)?)?;
            (1.0 / NEAR..=NEAR).contains(&ratio).then(|| f64::from(record.scenario.users) * ratio)
        };
        let estimates: Vec<f64> = own.filter_map(estimate).collect();
        let sum: f64 = estimates.iter().map(|estimate| estimate.ln()).sum();
        (!estimates.is_empty()).then(|| (sum / estimates.len() as f64).exp())
    }
}

/// The users on each replica of a probe, in proportion to the requests that were under way there; `None` if that is not
/// known, or if there is only one replica.
pub(super) fn spread(record: &Record) -> Option<String> {
    let under_way: Vec<f64> =
        record.replicas.iter().map(|replica| replica.under_way).collect::<Option<_>>()?;
    let sum: f64 = under_way.iter().sum();
    if under_way.len() < 2 || sum <= 0.0 {
        return None;
    }
    let (mut before, mut given, mut users) = (0.0, 0.0, Vec::new());
    for here in under_way {
        before += here;
        let until = (before / sum * f64::from(record.scenario.users)).round();
        users.push((until - given).to_string());
        given = until;
    }
    Some(users.join(","))
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    service: &'static str,
    seed: u64,
    replicas: u64,
    /// `None` if no capacity is known.
    found: Option<f64>,
    interval: Option<(f64, f64)>,
    confirmed: bool,
    /// The users that the closed queue carries, with connections by chance.
    by_chance: f64,
    /// The same with the connections of this search's probes.
    with_connections: Option<f64>,
    probes: u64,
    /// From the start of its first probe to the end of its last one.
    seconds: f64,
}

impl Row {
    /// A row for each number of replicas in the answer.
    pub(super) fn all(
        answer: &Value,
        records: &[Record],
        service: &'static str,
        seed: u64,
        simulated: [&Simulated; 2],
    ) -> Vec<Self> {
        let [by_chance, with_connections] = simulated;
        let rows = answer["capacities"].as_array().into_iter().flatten().filter_map(|one| {
            let replicas = one["replicas"].as_u64()?;
            let own = || records.iter().filter(|record| u64::from(record.scenario.replicas) == replicas);
            let (start, end) =
                (own().map(|one| one.started_at).min()?, own().map(|one| one.finished_at).max()?);
            let is_known = one["outcome"] == "known";
            Some(Self {
                service,
                seed,
                replicas,
                found: one["load"].as_f64().filter(|_| is_known),
                interval: one["band"][0].as_f64().zip(one["band"][1].as_f64()),
                confirmed: one["confirmed"] == true,
                by_chance: *by_chance.0.get(&replicas.to_string())?,
                with_connections: with_connections.with_connections(records, replicas),
                probes: one["probes"].as_u64()?,
                seconds: end.duration_since(start).as_secs_f64(),
            })
        });
        rows.collect()
    }

    fn difference(&self) -> Option<f64> {
        self.found.map(|found| found / self.with_connections.unwrap_or(self.by_chance) - 1.0)
    }

    fn is_right(&self) -> bool {
        self.difference().is_some_and(|difference| difference.abs() <= RIGHT)
    }

    fn ratio(&self) -> f64 {
        self.seconds / FULL_GRID_S
    }

    /// The line of the table.
    pub(super) fn line(&self) -> String {
        let or_not = |text: Option<String>| text.unwrap_or_else(|| "not known".to_owned());
        format!(
            "| {} | {} | {} | {} | {} | {} | {:.1} | {} | {} | {} | {:.0} | {FULL_GRID_S:.0} | {:.2} |",
            self.service,
            self.seed,
            self.replicas,
            or_not(self.found.map(|found| format!("{found:.1}"))),
            or_not(self.interval.map(|(low, high)| format!("{low:.1} to {high:.1}"))),
            if self.confirmed { "yes" } else { "no" },
            self.by_chance,
            self.with_connections.map_or("the same".to_owned(), |users| format!("{users:.1}")),
            or_not(self.difference().map(|difference| format!("{:+.1}", 100.0 * difference))),
            self.probes,
            self.seconds,
            self.ratio()
        )
    }
}

fn right(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.is_right()).count()
}

fn most_probes(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.probes).max().unwrap_or(0)
}

fn worst_ratio(rows: &[Row]) -> f64 {
    rows.iter().map(Row::ratio).fold(0.0, f64::max)
}

/// All rows together.
pub(super) fn summary(rows: &[Row]) -> String {
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    format!(
        "{} of {} within 5 % (at least 18 of 20), at most {} probes (at most {MOST_PROBES}), worst ratio {:.2} (at most \
         0.33), {:.0} s per search",
        right(rows),
        rows.len(),
        most_probes(rows),
        worst_ratio(rows),
        seconds / rows.len().max(1) as f64
    )
}

/// The parts of the requirement that are missed.
pub(super) fn misses(rows: &[Row]) -> Vec<String> {
    let mut missed = Vec::new();
    if (right(rows) as f64) < MOSTLY * rows.len() as f64 || rows.is_empty() {
        missed.push(format!("{} of {} searches are within 5 %", right(rows), rows.len()));
    }
    if most_probes(rows) > MOST_PROBES {
        missed.push(format!("a search took {} probes", most_probes(rows)));
    }
    if worst_ratio(rows) > MOST_TIME {
        missed.push(format!("a search took {:.2} of the full grid's time", worst_ratio(rows)));
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_records::{record, scenario};
    use jiff::Timestamp;
    use records::Replica;
    use serde_json::json;

    fn rows(load: f64, probes: u64) -> Vec<Row> {
        let at = |replicas, users, start, end| Record {
            started_at: Timestamp::from_second(start).unwrap(),
            finished_at: Timestamp::from_second(end).unwrap(),
            replicas: (0..replicas)
                .map(|index| Replica { under_way: Some(f64::from(index) + 1.0), ..Replica::default() })
                .collect(),
            ..record(scenario("a", replicas, 2, users))
        };
        let records = [at(1, 8, 0, 10), at(1, 40, 12, 30), at(2, 16, 40, 50), at(2, 60, 52, 60)];
        let answer = json!({"capacities": [
            {"replicas": 1, "outcome": "known", "load": load, "band": [30.0, 36.0], "confirmed": true, "probes": probes},
            {"replicas": 2, "outcome": "at_least", "load": 16.0, "band": null, "confirmed": null, "probes": 2},
        ]});
        assert_eq!(spread(&records[3]).unwrap(), "20,40");
        let by_chance = Simulated::parse("1 40.0\n2 79.5\n").unwrap();
        // The first probe of two replicas is not near the objective, and would not count if it were.
        let with_connections = Simulated::parse("5,11 400.0\n20,40 600.0\n").unwrap();
        Row::all(&answer, &records, "constant", 3, [&by_chance, &with_connections])
    }

    #[test]
    fn each_number_of_replicas_has_a_line_with_the_truth_and_the_time() {
        let lines: Vec<_> = rows(42.0, 5).iter().map(Row::line).collect();
        assert_eq!(
            lines,
            [
                "| constant | 3 | 1 | 42.0 | 30.0 to 36.0 | yes | 40.0 | the same | +5.0 | 5 | 30 | 894 | 0.03 |",
                "| constant | 3 | 2 | not known | not known | no | 79.5 | 50.0 | not known | 2 | 20 | 894 | 0.02 |",
            ]
        );
    }

    #[test]
    fn each_part_of_the_requirement_can_be_missed() {
        let good = || rows(41.0, 5)[0].clone();
        assert_eq!(misses(&vec![good(); 20]), [""; 0]);
        let bad = rows(43.0, 5)[0].clone();
        assert_eq!(misses(&[vec![good(); 18], vec![bad.clone(); 2]].concat()), [""; 0]);
        assert_eq!(misses(&[vec![good(); 17], vec![bad; 3]].concat()), ["17 of 20 searches are within 5 %"]);
        assert_eq!(misses(&rows(41.0, 8)[..1]), ["a search took 8 probes"]);
        let slow = Row { seconds: 400.0, ..good() };
        assert_eq!(misses(&[slow]), ["a search took 0.45 of the full grid's time"]);
        assert_eq!(misses(&rows(41.0, 5)), ["1 of 2 searches are within 5 %"], "not known is not right");
        assert_eq!(misses(&[]), ["0 of 0 searches are within 5 %"]);
    }
}
