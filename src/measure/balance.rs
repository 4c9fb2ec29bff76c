//! How evenly the replicas were used: kube-proxy balances connections, not requests.

use records::Replica;

/// Largest acceptable ratio of the busiest replica to the mean of all.
pub const MOST_IMBALANCE: f64 = 1.5;
/// The requests under way decide from this mean per replica on. With fewer, a replica has 0 to 3 of them, and one
/// request more or less is half of the mean.
const LEAST_UNDER_WAY: f64 = 2.0;
/// They also need this sum of readings, on average per replica. The counts of a lightly loaded replica vary like a
/// Poisson count, whose standard deviation is a fifth of 25. Half of the mean is then 2.5 standard deviations. Of
/// simulated runs with eight evenly loaded replicas, 1 % exceed the limit then, and 12 to 14 % with 10 to 18.
const LEAST_SEEN: f64 = 25.0;

/// What the replicas are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedBy {
    /// Requests under way, averaged over the measurement.
    UnderWay,
    /// Finished requests.
    Requests,
}

/// The busiest replica, compared with the mean of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Busiest<'a> {
    /// The pod.
    pub pod: &'a str,
    /// Its figure over the mean of all replicas.
    pub ratio: f64,
    /// The figure.
    pub by: ComparedBy,
}

/// The busiest replica, by the figure that shows the larger ratio; `None` if there is nothing to compare.
///
/// Each figure is blind where the other sees. In a closed loop full replicas finish the same number of requests
/// however the users are spread, and a slow replica among fast ones holds no more users than they do but finishes
/// fewer requests. The requests under way count if every replica tells them and they are not too few. In the open
/// model a replica with more users finishes more requests, until it is full, which is overload. A queue near
/// capacity makes the requests under way differ by chance, so that only finished requests are compared there.
pub fn busiest(replicas: &[Replica], is_closed: bool) -> Option<Busiest<'_>> {
    let by_under_way = if is_closed { busiest_by_under_way(replicas) } else { None };
    let both = [by_under_way, busiest_by_requests(replicas)];
    both.into_iter().flatten().max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

fn busiest_by_requests(replicas: &[Replica]) -> Option<Busiest<'_>> {
    let ratio = busiest_over_mean(replicas)?;
    let busiest = replicas.iter().max_by_key(|replica| replica.total())?;
    Some(Busiest { pod: &busiest.pod, ratio, by: ComparedBy::Requests })
}

fn busiest_by_under_way(replicas: &[Replica]) -> Option<Busiest<'_>> {
    let known: Vec<f64> = replicas.iter().map(|replica| replica.under_way).collect::<Option<_>>()?;
    let readings = replicas.iter().map(|replica| replica.readings).min()?;
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let is_enough = mean >= LEAST_UNDER_WAY && mean * f64::from(readings) >= LEAST_SEEN;
    let (busiest, most) = replicas.iter().zip(&known).max_by(|a, b| a.1.total_cmp(b.1))?;
    (known.len() > 1 && is_enough).then(|| Busiest {
        pod: &busiest.pod,
        ratio: most / mean,
        by: ComparedBy::UnderWay,
    })
}

/// Finished requests of the busiest replica over the mean of all. `None` if there is nothing to compare: no request,
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
    use std::collections::BTreeMap;

    use super::*;
    use fake_inference::simulation::{Connections, Load, Simulation, Think};
    use proptest::prelude::*;

    /// Replicas with as many finished requests each, and these requests under way in five readings.
    fn full(under_way: &[f64]) -> Vec<Replica> {
        let replica = |(at, under_way): (usize, &f64)| Replica {
            pod: format!("inference-{at}"),
            requests: Some(BTreeMap::from([("/predict 200".to_owned(), 400)])),
            under_way: Some(*under_way),
            readings: 5,
        };
        under_way.iter().enumerate().map(replica).collect()
    }

    #[test]
    fn requests_under_way_show_an_imbalance_of_full_replicas() {
        let replicas = full(&[32.0, 8.0]);
        let expected = Busiest { pod: "inference-0", ratio: 1.6, by: ComparedBy::UnderWay };
        assert_eq!(busiest(&replicas, true), Some(expected));
        let open = busiest(&replicas, false).unwrap();
        assert_eq!(
            (open.ratio, open.by),
            (1.0, ComparedBy::Requests),
            "only the closed model has pinned users"
        );
    }

    #[test]
    fn a_slow_replica_with_as_many_users_is_an_imbalance() {
        let mut replicas = full(&[8.0, 8.0]);
        replicas[0].requests = Some(BTreeMap::from([("/predict 200".to_owned(), 80)]));
        let expected = Busiest { pod: "inference-1", ratio: 400.0 * 2.0 / 480.0, by: ComparedBy::Requests };
        assert_eq!(busiest(&replicas, true), Some(expected));
    }

    #[test]
    fn too_few_or_unknown_requests_under_way_do_not_decide() {
        let by = |replicas: &[Replica]| busiest(replicas, true).map(|busiest| busiest.by);
        assert_eq!(by(&full(&[3.0, 0.0])), Some(ComparedBy::Requests), "1.5 per replica");
        assert_eq!(by(&full(&[6.0, 2.0])), Some(ComparedBy::Requests), "20 seen per replica");
        assert_eq!(by(&full(&[8.0, 2.0])), Some(ComparedBy::UnderWay), "25 seen per replica");
        let mut unknown = full(&[30.0, 8.0]);
        unknown[1].under_way = None;
        assert_eq!(by(&unknown), Some(ComparedBy::Requests));
        assert_eq!(by(&full(&[30.0])), None);
    }

    /// The replicas after 20 s with five readings of the requests under way.
    fn simulated(simulation: Simulation) -> Vec<Replica> {
        let replicas = simulation.replicas;
        let trace = Simulation { warm_up: 5.0, seconds: 20.0, ..simulation }.run();
        let under_way = |replica: usize, at: f64| {
            let is_under_way = |r: &&fake_inference::simulation::Request| {
                r.replica == replica && r.started_s <= at && at < r.finished_s
            };
            trace.requests.iter().filter(is_under_way).count() as f64
        };
        let means: Vec<f64> = (0..replicas)
            .map(|replica| {
                [2.0, 6.0, 10.0, 14.0, 18.0].map(|at| under_way(replica, at)).iter().sum::<f64>() / 5.0
            })
            .collect();
        full(&means)
    }

    fn closed(users: usize, think: Think) -> Load {
        Load::Closed { users, think, ramp: 1.0 }
    }

    #[test]
    fn users_that_are_spread_evenly_are_rarely_called_imbalanced() {
        // The lightest load that decides: 50 users per replica, each under way for a tenth of the time. With 20 or
        // 35 users, 12 to 14 % of such runs would be called imbalanced.
        let alarms = (0..40).filter(|seed| {
            let replicas = simulated(Simulation {
                load: closed(400, Think::Exponential(0.9)),
                replicas: 8,
                slots: 100,
                seed: *seed,
                ..Simulation::default()
            });
            let busiest = busiest(&replicas, true).unwrap();
            busiest.by == ComparedBy::UnderWay && busiest.ratio > MOST_IMBALANCE
        });
        let alarms = alarms.count();
        assert!(alarms <= 2, "{alarms} of 40 runs");
    }

    #[test]
    fn users_that_are_spread_unevenly_over_full_replicas_are_found() {
        for seed in 0..20 {
            let replicas = simulated(Simulation {
                load: closed(40, Think::None),
                replicas: 2,
                connections: Connections::Given(vec![32, 8]),
                seed,
                ..Simulation::default()
            });
            let found = busiest(&replicas, true).unwrap();
            assert_eq!((found.pod, found.by), ("inference-0", ComparedBy::UnderWay));
            assert!(found.ratio > MOST_IMBALANCE, "{}", found.ratio);
        }
    }

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
