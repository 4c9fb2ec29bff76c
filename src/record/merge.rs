//! Two copies of a run's records become one. No copy is ever the worse for it.

use records::Record;

/// The records of both copies.
#[derive(Debug, PartialEq)]
pub struct Merged {
    /// Each record once, in the order in which they were measured.
    pub records: Vec<Record>,
    /// The ids of scenarios that only the kept copy has.
    pub only_kept: Vec<String>,
    /// The ids of scenarios of which the kept copy holds more than the other one.
    pub fuller: Vec<String>,
}

/// Merges the copy that is `kept` with another copy. A record that both have is the same attempt at the same
/// scenario; of these two, the one that holds more is taken, and the kept one if they are equal.
pub fn merge(kept: Vec<Record>, other: Vec<Record>) -> Merged {
    let mut merged = Merged { records: other, only_kept: Vec::new(), fuller: Vec::new() };
    for record in kept {
        let id = record.scenario.id.clone();
        match merged.records.iter_mut().find(|other| is_same(other, &record)) {
            None => {
                merged.only_kept.push(id);
                merged.records.push(record);
            }
            Some(other) => {
                let (size, other_size) = (size(&record), size(other));
                if size > other_size {
                    merged.fuller.push(id);
                }
                if size >= other_size {
                    *other = record;
                }
            }
        }
    }
    merged.records.sort_by_key(|record| (record.started_at, record.attempt));
    merged
}

fn is_same(a: &Record, b: &Record) -> bool {
    (&a.run_id, &a.scenario.id, a.attempt) == (&b.run_id, &b.scenario.id, b.attempt)
}

/// How much a record holds. A copy in the cluster may lack samples or histograms.
fn size(record: &Record) -> usize {
    serde_json::to_vec(record).map_or(0, |line| line.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    fn slim(record: Record) -> Record {
        Record { samples: Vec::new(), ..record }
    }

    #[test]
    fn the_fuller_of_two_records_is_taken_from_either_copy() {
        let (first, second) = (record(0, 1, 20, 10), record(1, 1, 40, 10));
        let merged =
            merge(vec![first.clone(), slim(second.clone())], vec![slim(first.clone()), second.clone()]);
        assert_eq!(merged.records, [first, second]);
        assert_eq!((merged.fuller.len(), merged.only_kept.len()), (1, 0));
    }

    #[test]
    fn records_of_one_copy_only_are_kept_and_named() {
        let merged = merge(vec![record(0, 1, 20, 10)], vec![record(1, 1, 40, 10)]);
        assert_eq!(merged.records.len(), 2);
        assert_eq!(merged.only_kept, [record(0, 1, 20, 10).scenario.id]);
    }

    #[test]
    fn two_attempts_at_one_scenario_are_two_records() {
        let first = record(0, 1, 20, 10);
        let second = Record { attempt: 2, ..first.clone() };
        let merged = merge(vec![first.clone()], vec![second.clone()]);
        assert_eq!(merged.records, [first, second]);
    }
}
