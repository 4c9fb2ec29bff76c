//! How evenly the replicas were used: kube-proxy balances connections, not requests.

use records::Replica;

/// Largest acceptable ratio of the busiest replica's requests to the mean of all.
pub const MOST_IMBALANCE: f64 = 1.5;

/// Requests of the busiest replica over the mean of all. `None` if there is nothing to compare: no request,
/// fewer than two replicas, or a replica without a count of its own.
pub fn busiest_over_mean(replicas: &[Replica]) -> Option<f64> {
    ratio(&replicas.iter().map(Replica::total).collect::<Vec<_>>())
}

fn ratio(requests: &[Option<u64>]) -> Option<f64> {
    let known: Vec<u64> = requests.iter().copied().collect::<Option<_>>()?;
    let total: u64 = known.iter().sum();
    let most = known.iter().max()?;
    (known.len() > 1 && total > 0).then(|| *most as f64 * known.len() as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_quarters_on_one_of_two_is_the_limit() {
        assert_eq!(ratio(&[Some(300), Some(100)]), Some(1.5));
        assert_eq!(ratio(&[Some(100), Some(100), Some(0), Some(0)]), Some(2.0));
    }

    #[test]
    fn a_replica_without_a_count_prevents_the_comparison() {
        assert_eq!(ratio(&[Some(300), None]), None);
        assert_eq!(ratio(&[Some(300)]), None);
        assert_eq!(ratio(&[Some(0), Some(0)]), None);
        assert_eq!(ratio(&[]), None);
    }

    proptest! {
        #[test]
        fn it_lies_between_even_and_all_on_one(counts in prop::collection::vec(0_u64..10_000, 2..9)) {
            let known: Vec<_> = counts.iter().copied().map(Some).collect();
            if let Some(ratio) = ratio(&known) {
                prop_assert!(ratio >= 1.0 - 1e-9 && ratio <= counts.len() as f64 + 1e-9);
            }
        }
    }
}
