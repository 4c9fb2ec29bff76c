//! The replicas that a load needs, from the capacities that were found.

use super::band::{Capacity, Found};

/// Capacities per replica that differ by no more than this factor are those of a service that scales linearly.
const LINEAR: f64 = 1.10;
/// A line is trusted up to this multiple of the most replicas that were measured.
const FURTHEST: f64 = 2.0;

/// What some replicas carry: users, or requests/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carries {
    /// The replicas.
    pub replicas: u32,
    /// The load that they carry.
    pub load: f64,
    /// About half of the 95 % interval of the load.
    pub half: f64,
}

/// The replicas that a load needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Needed {
    /// So many.
    Replicas {
        /// The fewest replicas that carry it, with what they carry.
        carries: Carries,
        /// One replica fewer.
        fewer: Option<Carries>,
    },
    /// More than can be told from these capacities.
    NotKnown {
        /// The most replicas whose capacity is known.
        beyond: Carries,
    },
    /// No capacity is known.
    Nothing,
}

/// The replicas that are needed for a load. If the capacity per replica is the same for all numbers of replicas, it
/// is used for others as well; else only for those that were measured.
pub fn needed(found: &[Found], wanted: f64) -> Needed {
    let mut measured: Vec<Carries> = found.iter().filter_map(carries).collect();
    measured.sort_by_key(|carries| carries.replicas);
    let Some(most) = measured.last().copied() else { return Needed::Nothing };
    let line = line(found);
    let of_line = |replicas: u32| line.map(|(each, half)| scaled(replicas, each, half));
    let of = |replicas: u32| {
        let own = measured.iter().find(|carries| carries.replicas == replicas).copied();
        own.or_else(|| of_line(replicas))
    };
    let furthest =
        if line.is_some() { FURTHEST * f64::from(most.replicas) } else { f64::from(most.replicas) };
    let is_enough = |carries: &Carries| carries.load - carries.half >= wanted;
    let mut candidates = (1_u32..).take_while(|replicas| f64::from(*replicas) <= furthest).filter_map(of);
    match candidates.find(is_enough) {
        Some(carries) => {
            let fewer = carries.replicas.checked_sub(1).filter(|fewer| *fewer > 0).and_then(of);
            Needed::Replicas { carries, fewer }
        }
        None => Needed::NotKnown { beyond: most },
    }
}

fn carries(found: &Found) -> Option<Carries> {
    let (low, load) = found.capacity.carried()?;
    Some(Carries { replicas: found.replicas, load, half: load - low })
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

fn scaled(replicas: u32, each: f64, half: f64) -> Carries {
    let load = each * f64::from(replicas);
    Carries { replicas, load, half: load * (half.exp() - (-half).exp()) / 2.0 }
}

#[cfg(test)]
mod tests {
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
        let Needed::Replicas { carries, fewer } = needed(&found, 1000.0) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().replicas), (7, 6));
        assert!((carries.load - 1053.0).abs() < 5.0 && carries.half < 20.0, "{carries:?}");
        assert!(matches!(needed(&found, 1300.0), Needed::NotKnown { beyond } if beyond.replicas == 4));
        // Three were not measured, and one of them less is what was.
        let Needed::Replicas { carries, fewer } = needed(&found, 400.0) else { panic!() };
        assert_eq!((carries.replicas, fewer.unwrap().load), (3, 303.0));
    }

    #[test]
    fn without_a_line_only_what_was_measured_is_known() {
        let bent = [found(1, 150.0), found(2, 250.0), found(4, 400.0)];
        assert!(matches!(needed(&bent, 380.0), Needed::Replicas { carries, .. } if carries.replicas == 4));
        assert!(matches!(needed(&bent, 420.0), Needed::NotKnown { beyond } if beyond.replicas == 4));
        let one = [found(1, 150.0)];
        assert!(matches!(needed(&one, 200.0), Needed::NotKnown { beyond } if beyond.replicas == 1));
        assert_eq!(needed(&[], 1.0), Needed::Nothing);
    }
}
