//! The replicas that a load needs, from the capacities that were found.

use super::band::{Capacity, Found};
use super::carries::Carries;
use super::usl::Scaling;

/// Capacities per replica that differ by no more than this factor are those of a service that scales linearly.
const LINEAR: f64 = 1.10;
/// The same if the answer is measured.
const LINEAR_IF_MEASURED: f64 = 1.25;
/// Smaller differences are errors of floating point.
const TINY: f64 = 1e-9;
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
/// Scalability Law if it can be fitted, or by a line if the capacity per replica is the same for all that were measured. With
/// `is_measured`, the answer is measured at the end. Then it may be bolder: capacities that differ more by how connections fell
/// still make a line, which need not go on to fall, and half of the band's lower part is enough.
pub fn needed(found: &[Found], wanted: f64, is_measured: bool) -> Needed {
    let measured = measured(found);
    let Some(most) = measured.last().copied() else { return Needed::Nothing };
    let scaling = scaling(found);
    let line = line(found, if is_measured { LINEAR_IF_MEASURED } else { LINEAR });
    let by_law = |replicas: u32| match scaling {
        Some(scaling) => Some(scaling.carries(replicas)),
        None => line.as_ref().map(|line| line.carries(replicas, is_measured)),
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
    let least =
        |carries: &Carries| if is_measured { (carries.low * carries.load).sqrt() } else { carries.low };
    if let Some(carries) = candidates().find(|carries| least(carries) * (1.0 + TINY) >= wanted) {
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

/// The line through the capacities of at least two numbers of replicas.
struct Line {
    /// The load per replica.
    each: f64,
    /// The half-width of its logarithm.
    half: f64,
    /// The logarithm of the replicas in the middle of those that were measured.
    middle: f64,
    /// How the load per replica falls with the replicas: the slope of its logarithm over theirs, 0 or less.
    fall: f64,
}

impl Line {
    /// What so many replicas carry by this line. The load per replica may fall on as it has fallen over the measured replicas.
    /// The lower end allows for that, unless the answer is measured.
    fn carries(&self, replicas: u32, is_measured: bool) -> Carries {
        let replicas_ln = f64::from(replicas).ln();
        let carries = Carries::of_log(replicas, self.each * f64::from(replicas), self.half);
        let fall = if is_measured { 0.0 } else { self.fall };
        let falls = (fall * (replicas_ln - self.middle)).min(0.0).exp();
        Carries { low: carries.low * falls, ..carries }
    }
}

/// The line, if at least two numbers of replicas agree on it.
fn line(found: &[Found], linear: f64) -> Option<Line> {
    let known = found.iter().filter_map(|found| match found.capacity {
        Capacity::Known { load, low, high, .. } => {
            let replicas = f64::from(found.replicas);
            Some((replicas.ln(), (load / replicas).ln(), (high / low).ln() / 2.0))
        }
        _ => None,
    });
    let known: Vec<(f64, f64, f64)> = known.collect();
    let count = known.len() as f64;
    let (least, most) = known
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (_, each, _)| (a.min(*each), b.max(*each)));
    if known.len() < 2 || most - least > linear.ln() {
        return None;
    }
    let mean = |of: fn(&(f64, f64, f64)) -> f64| known.iter().map(of).sum::<f64>() / count;
    let (middle, log) = (mean(|(replicas, ..)| *replicas), mean(|(_, each, _)| *each));
    let squares: f64 = known.iter().map(|(_, each, _)| (each - log).powi(2)).sum();
    // Twice the standard error from the spread of the capacities, or from their own bands if that is more.
    let spread = 2.0 * (squares / (count * (count - 1.0))).sqrt();
    let own = known.iter().map(|(.., half)| half * half).sum::<f64>().sqrt() / count;
    let apart: f64 = known.iter().map(|(replicas, ..)| (replicas - middle).powi(2)).sum();
    let along: f64 = known.iter().map(|(replicas, each, _)| (replicas - middle) * (each - log)).sum();
    let fall = if apart > 0.0 { (along / apart).min(0.0) } else { 0.0 };
    Some(Line { each: log.exp(), half: spread.max(own), middle, fall })
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
        let Needed::Replicas { carries, fewer, .. } = needed(&found, 1000.0, false) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().replicas), (7, 6));
        assert!((carries.load - 1053.0).abs() < 5.0 && carries.high - carries.low < 40.0, "{carries:?}");
        assert!(
            matches!(needed(&found, 1300.0, false), Needed::NotKnown { beyond, .. } if beyond.replicas == 4)
        );
        // Three were not measured, and one of them less is what was.
        let Needed::Replicas { carries, fewer, .. } = needed(&found, 400.0, false) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().load), (3, 303.0));
    }

    /// 3 % less for each replica with each doubling.
    #[test]
    fn a_line_is_not_trusted_far_beyond_replicas_that_carry_less_and_less() {
        let bent = [found(1, 100.0), found(2, 194.0), found(4, 376.0)];
        // The line has 776 ± 4 % with 8; if the fall goes on, it is 6 % less.
        let Needed::Replicas { carries, .. } = needed(&bent, 690.0, false) else { panic!() };
        assert_eq!(carries.replicas, 8, "{carries:?}");
        assert!((carries.low - 704.0).abs() < 2.0 && carries.high > 776.0, "{carries:?}");
        assert!(matches!(needed(&bent, 745.0, false), Needed::NotKnown { .. }));
        assert!(
            matches!(needed(&bent, 745.0, true), Needed::Replicas { carries, .. } if carries.replicas == 8)
        );
        let straight = [found(1, 100.0), found(2, 201.0), found(4, 400.0)];
        assert!(
            matches!(needed(&straight, 745.0, false), Needed::Replicas { carries, .. } if carries.replicas == 8)
        );
    }

    /// As a kind cluster gave them: two replicas whose connections fell unevenly. Three carry 100 users in theory.
    #[test]
    fn an_answer_that_is_measured_may_be_bolder() {
        let uneven = [found(1, 38.6), found(2, 70.0)];
        assert!(matches!(needed(&uneven, 100.0, false), Needed::NotKnown { .. }));
        assert!(
            matches!(needed(&uneven, 100.0, true), Needed::Replicas { carries, .. } if carries.replicas == 3)
        );
    }

    #[test]
    fn without_a_line_only_what_was_measured_is_known() {
        let bent = [found(1, 150.0), found(2, 250.0), found(4, 400.0)];
        assert!(
            matches!(needed(&bent, 380.0, false), Needed::Replicas { carries, .. } if carries.replicas == 4)
        );
        assert!(
            matches!(needed(&bent, 420.0, false), Needed::NotKnown { beyond, .. } if beyond.replicas == 4)
        );
        let one = [found(1, 150.0)];
        assert!(
            matches!(needed(&one, 200.0, false), Needed::NotKnown { beyond, .. } if beyond.replicas == 1)
        );
        assert_eq!(needed(&[], 1.0, false), Needed::Nothing);
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
        let Needed::Replicas { carries, fewer, fewest } = needed(&bent, 590.0, false) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().replicas, fewest), (5, 4, 5));
        assert!((carries.load - 625.0).abs() < 1.0, "{carries:?}");
        let Needed::Replicas { carries, fewest, .. } = needed(&bent, 1000.0, false) else { panic!() };
        assert!(carries.replicas > fewest && carries.replicas <= 16, "{carries:?}, {fewest}");
        assert!(scaling(&bent[..3]).is_none(), "three are not enough");
        assert!(matches!(needed(&bent[..3], 580.0, false), Needed::NotKnown { peak: None, .. }));
    }

    #[test]
    fn a_load_beyond_the_peak_or_twice_what_was_measured_is_not_known() {
        // Most is carried by 10 replicas: 38 · 10 / (1 + 9 · 0.05 + 90 · 0.0095) = 165.
        let peaked = by_law(38.0, 0.05, 0.0095);
        let Needed::NotKnown { beyond, peak: Some(peak) } = needed(&peaked, 300.0, false) else { panic!() };
        assert!(beyond.replicas == 8 && (9..=11).contains(&peak.replicas), "{peak:?}");
        let linear = by_law(38.0, 0.0, 0.0);
        let Needed::NotKnown { beyond, peak: None } = needed(&linear, 700.0, false) else { panic!() };
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
        let Needed::Replicas { carries, fewer, fewest } = needed(&early, 500.0, false) else { panic!() };
        assert_eq!((carries.replicas, fewest), (4, 4), "{carries:?}");
        assert!((carries.load - 600.0).abs() < 1.0 && (fewer.unwrap().load - 450.0).abs() < 1.0, "{fewer:?}");
        // Without a line, 4 may carry it.
        let bent = [found(1, 150.0), found(2, 250.0), at_least(4, 330.0), found(8, 800.0)];
        let Needed::Replicas { carries, fewest, .. } = needed(&bent, 500.0, false) else { panic!() };
        assert_eq!((carries.replicas, fewest), (8, 3), "3 were not measured");
        // Between 58 and 62: one may be enough for 60.
        let one = [found(1, 60.0), found(2, 120.0)];
        let Needed::Replicas { carries, fewest, .. } = needed(&one, 60.5, false) else { panic!() };
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
            assert!(
                matches!(needed(&found, 10.0, false), Needed::TooLittle { missed: 16.0, .. }),
                "{found:?}"
            );
            assert!(matches!(needed(&found, 30.0, false), Needed::Replicas { .. }), "{found:?}");
        }
    }
}
