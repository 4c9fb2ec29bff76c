//! The replicas that a load needs, from the capacities that were found.

use super::band::{Capacity, Found};
use super::carries::Carries;
use super::usl::Scaling;

/// Capacities per replica that differ by no more than this factor are those of a service that scales linearly.
const LINEAR: f64 = 1.10;
/// A line, or a curve, is trusted up to this multiple of the most replicas that were measured.
const FURTHEST: f64 = 2.0;

/// The replicas that a load needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Needed {
    /// So many.
    Replicas {
        /// The fewest replicas that carry it, with what they carry.
        carries: Carries,
        /// One replica fewer; `None` if there is none, or if nothing is known about it.
        fewer: Option<Carries>,
        /// The fewest replicas that may carry it: the upper end of their band reaches it, or they were not measured.
        fewest: u32,
    },
    /// The replicas that carry it do so only with more load, such as a service that is better with more users.
    TooLittle {
        /// The fewest replicas that carry more than this load.
        carries: Carries,
        /// A load that is no smaller, and misses the objective with them.
        missed: f64,
    },
    /// More than can be told from these capacities.
    NotKnown {
        /// The most replicas whose capacity is known.
        beyond: Carries,
        /// The replicas that carry most, if even the upper end of their interval is too little and more replicas would
        /// carry less.
        peak: Option<Carries>,
    },
    /// No capacity is known.
    Nothing,
}

/// The replicas that are needed for a load. Numbers of replicas that were not measured are told by the Universal
/// Scalability Law if it can be fitted, or by a line if the capacity per replica is the same for all that were measured.
pub fn needed(found: &[Found], wanted: f64) -> Needed {
    let measured = measured(found);
    let Some(most) = measured.last().copied() else { return Needed::Nothing };
    let scaling = scaling(found);
    let line = line(found);
    let by_law = |replicas: u32| match scaling {
        Some(scaling) => Some(scaling.carries(replicas)),
        None => line.map(|(each, half)| Carries::of_log(replicas, each * f64::from(replicas), half)),
    };
    let of = |replicas: u32| {
        let own = measured.iter().find(|carries| carries.replicas == replicas).copied();
        match own {
            // Where the measurement ended too early, the law may know more.
            Some(own) if own.high.is_infinite() => {
                by_law(replicas).filter(|law| law.low > own.low).or(Some(own))
            }
            Some(own) => Some(own),
            None => by_law(replicas),
        }
    };
    let has_law = scaling.is_some() || line.is_some();
    let furthest = f64::from(most.replicas) * if has_law { FURTHEST } else { 1.0 };
    let candidates = || (1_u32..).take_while(|replicas| f64::from(*replicas) <= furthest).filter_map(of);
    if let Some(carries) = candidates().find(|carries| carries.low >= wanted) {
        let own = found.iter().find(|found| found.replicas == carries.replicas);
        if let Some(missed) =
            own.and_then(|own| own.capacity.missed_below()).filter(|missed| wanted <= *missed)
        {
            return Needed::TooLittle { carries, missed };
        }
        let fewer = carries.replicas.checked_sub(1).filter(|fewer| *fewer > 0).and_then(of);
        // Those that are known to carry less are not enough, and neither are fewer of them.
        let too_few =
            (1..carries.replicas).rfind(|replicas| of(*replicas).is_some_and(|it| it.high < wanted));
        return Needed::Replicas { carries, fewer, fewest: too_few.unwrap_or(0) + 1 };
    }
    let best = candidates().max_by(|a, b| a.load.total_cmp(&b.load));
    let falls = |best: &Carries| f64::from(best.replicas) + 1.0 <= furthest;
    let peak = best.filter(|best| falls(best) && best.high < wanted && scaling.is_some());
    Needed::NotKnown { beyond: most, peak }
}

/// The Universal Scalability Law of the known capacities; `None` if there are not enough of them.
pub fn scaling(found: &[Found]) -> Option<Scaling> {
    let is_known = |found: &&Found| matches!(found.capacity, Capacity::Known { .. });
    let known: Vec<_> = found.iter().filter(is_known).cloned().collect();
    Scaling::of(&measured(&known))
}

/// The loads that are carried for sure, from the fewest replicas to the most.
fn measured(found: &[Found]) -> Vec<Carries> {
    let mut measured: Vec<Carries> = found.iter().filter_map(carries).collect();
    measured.sort_by_key(|carries| carries.replicas);
    measured
}

fn carries(found: &Found) -> Option<Carries> {
    let (low, load, high) = found.capacity.carried()?;
    Some(Carries { replicas: found.replicas, load, low, high })
}

/// The load per replica with the half-width of its logarithm, if at least two numbers of replicas agree on it.
fn line(found: &[Found]) -> Option<(f64, f64)> {
    let known = found.iter().filter_map(|found| match found.capacity {
        Capacity::Known { load, low, high, .. } => {
            Some((load / f64::from(found.replicas), (high / low).ln() / 2.0))
        }
        _ => None,
    });
    let (each, halves): (Vec<f64>, Vec<f64>) = known.unzip();
    let count = each.len() as f64;
    let (least, most) = each.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), x| (x.min(a), x.max(b)));
    if each.len() < 2 || most > LINEAR * least {
        return None;
    }
    let log = each.iter().map(|each| each.ln()).sum::<f64>() / count;
    let squares: f64 = each.iter().map(|each| (each.ln() - log).powi(2)).sum();
    // Twice the standard error from the spread of the capacities, or from their own bands if that is more.
    let spread = 2.0 * (squares / (count * (count - 1.0))).sqrt();
    let own = halves.iter().map(|half| half * half).sum::<f64>().sqrt() / count;
    Some((log.exp(), spread.max(own)))
}

#[cfg(test)]
mod tests {
    use super::super::band::Limit;
    use super::*;
    use records::Mode;

    fn found(replicas: u32, load: f64) -> Found {
        let capacity = Capacity::Known {
            load,
            low: 0.98 * load,
            high: 1.02 * load,
            confirmed: true,
            missed_below: None,
        };
        Found { replicas, mode: Mode::Closed, capacity, probes: 6 }
    }

    #[test]
    fn a_service_that_scales_linearly_is_scaled_up_to_twice_what_was_measured() {
        let found = [found(1, 150.0), found(2, 303.0), found(4, 600.0)];
        let Needed::Replicas { carries, fewer, .. } = needed(&found, 1000.0) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().replicas), (7, 6));
        assert!((carries.load - 1053.0).abs() < 5.0 && carries.high - carries.low < 40.0, "{carries:?}");
        assert!(matches!(needed(&found, 1300.0), Needed::NotKnown { beyond, .. } if beyond.replicas == 4));
        // Three were not measured, and one of them less is what was.
        let Needed::Replicas { carries, fewer, .. } = needed(&found, 400.0) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().load), (3, 303.0));
    }

    #[test]
    fn without_a_line_only_what_was_measured_is_known() {
        let bent = [found(1, 150.0), found(2, 250.0), found(4, 400.0)];
        assert!(matches!(needed(&bent, 380.0), Needed::Replicas { carries, .. } if carries.replicas == 4));
        assert!(matches!(needed(&bent, 420.0), Needed::NotKnown { beyond, .. } if beyond.replicas == 4));
        let one = [found(1, 150.0)];
        assert!(matches!(needed(&one, 200.0), Needed::NotKnown { beyond, .. } if beyond.replicas == 1));
        assert_eq!(needed(&[], 1.0), Needed::Nothing);
    }

    /// Capacities of this law at 1, 2, 4 and 8 replicas.
    fn by_law(each: f64, contention: f64, coherency: f64) -> [Found; 4] {
        [1, 2, 4, 8].map(|replicas| {
            let of = f64::from(replicas);
            found(replicas, of * each / (1.0 + (of - 1.0) * (contention + coherency * of)))
        })
    }

    #[test]
    fn four_capacities_tell_the_others_by_the_universal_scalability_law() {
        let bent = by_law(150.0, 0.05, 0.0);
        // 5 replicas carry 625, which a line would give with 5 of 150, and 10 carry 1034.
        let Needed::Replicas { carries, fewer, fewest } = needed(&bent, 590.0) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().replicas, fewest), (5, 4, 5));
        assert!((carries.load - 625.0).abs() < 1.0, "{carries:?}");
        let Needed::Replicas { carries, fewest, .. } = needed(&bent, 1000.0) else { panic!() };
        assert!(carries.replicas > fewest && carries.replicas <= 16, "{carries:?}, {fewest}");
        assert!(scaling(&bent[..3]).is_none(), "three are not enough");
        assert!(matches!(needed(&bent[..3], 580.0), Needed::NotKnown { peak: None, .. }));
    }

    #[test]
    fn a_load_beyond_the_peak_or_twice_what_was_measured_is_not_known() {
        // Most is carried by 10 replicas: 38 · 10 / (1 + 9 · 0.05 + 90 · 0.0095) = 165.
        let peaked = by_law(38.0, 0.05, 0.0095);
        let Needed::NotKnown { beyond, peak: Some(peak) } = needed(&peaked, 300.0) else { panic!() };
        assert!(beyond.replicas == 8 && (9..=11).contains(&peak.replicas), "{peak:?}");
        let linear = by_law(38.0, 0.0, 0.0);
        let Needed::NotKnown { beyond, peak: None } = needed(&linear, 700.0) else { panic!() };
        assert_eq!(beyond.replicas, 8);
    }

    #[test]
    fn a_lower_bound_is_no_capacity_and_a_band_may_reach_the_load() {
        let at_least = |replicas, load| Found {
            capacity: Capacity::AtLeast { load, limit: Limit::Generator, missed_below: None },
            ..found(replicas, load)
        };
        // The line through 1 and 2 says more than the measurement of 4, which ended too early.
        let early = [found(1, 150.0), found(2, 300.0), at_least(4, 330.0)];
        let Needed::Replicas { carries, fewer, fewest } = needed(&early, 500.0) else { panic!() };
        assert_eq!((carries.replicas, fewest), (4, 4), "{carries:?}");
        assert!((carries.load - 600.0).abs() < 1.0 && (fewer.unwrap().load - 450.0).abs() < 1.0, "{fewer:?}");
        // Without a line, 4 may carry it.
        let bent = [found(1, 150.0), found(2, 250.0), at_least(4, 330.0), found(8, 800.0)];
        let Needed::Replicas { carries, fewest, .. } = needed(&bent, 500.0) else { panic!() };
        assert_eq!((carries.replicas, fewest), (8, 3), "3 were not measured");
        // Between 58 and 62: one may be enough for 60.
        let one = [found(1, 60.0), found(2, 120.0)];
        let Needed::Replicas { carries, fewest, .. } = needed(&one, 60.5) else { panic!() };
        assert_eq!((carries.replicas, fewest), (2, 1));
    }

    #[test]
    fn replicas_that_need_more_load_are_no_answer_for_less() {
        let of = |capacity| [Found { capacity, ..found(1, 40.0) }];
        let known =
            Capacity::Known { load: 40.0, low: 40.0, high: 41.0, confirmed: true, missed_below: Some(16.0) };
        let least = Capacity::AtLeast { load: 40.0, limit: Limit::MostLoad, missed_below: Some(16.0) };
        for capacity in [known, least] {
            let found = of(capacity);
            assert!(matches!(needed(&found, 10.0), Needed::TooLittle { missed: 16.0, .. }), "{found:?}");
            assert!(matches!(needed(&found, 30.0), Needed::Replicas { .. }), "{found:?}");
        }
    }
}
