//! The Universal Scalability Law, fitted to the capacities of at least four numbers of replicas.
//!
//! R replicas carry X(R) = λR / (1 + σ(R − 1) + κR(R − 1)): λ is what one alone carries, σ the share of the work that
//! is done one after the other (contention), and κ what it costs that every replica exchanges data with every other one
//! (coherency). With κ > 0, more replicas carry less beyond √((1 − σ) / κ). Source: Gunther, *Guerrilla Capacity
//! Planning*, Springer 2007, chapters 4 to 6.
//!
//! R / X is linear in 1/λ, σ/λ and κ/λ, so that least squares of its relative residuals, which are those of X, have one
//! solution without iteration, also under the condition that σ and κ are not negative. The interval is that of linear
//! least squares (Seber and Lee, *Linear Regression Analysis*, 2nd edition, Wiley 2003, chapter 5), on the logarithm.
//! It counts all three parameters also if one of them is 0 in the best fit: that it is 0 is not known either.

use super::carries::Carries;

/// The fewest numbers of replicas for three parameters and some knowledge of how well they fit.
pub(super) const FEWEST: usize = 4;
/// A capacity is never known better than this: the standard deviation of its logarithm.
const LEAST_ERROR: f64 = 0.005;
/// A 95 % interval reaches this many standard errors to either side.
const ERRORS: f64 = 2.0;

type Vector = [f64; 3];
type Matrix = [Vector; 3];

/// The fitted law. Loads are users, or requests/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// λ: what one replica alone carries.
    pub each: Parameter,
    /// σ: contention, 0 or more.
    pub contention: Parameter,
    /// κ: coherency, 0 or more.
    pub coherency: Parameter,
    /// The numbers of replicas that it is fitted to.
    pub points: usize,
    /// 1/λ, σ/λ and κ/λ.
    linear: Vector,
    /// Their covariances.
    covariance: Matrix,
}

/// A parameter of the law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The best estimate.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl Scaling {
    /// The law that fits these capacities best; `None` if there are fewer than [`FEWEST`]. Their replicas must differ,
    /// and their loads must be above 0.
    pub(super) fn of(measured: &[Carries]) -> Option<Self> {
        if measured.len() < FEWEST || measured.iter().any(|carries| carries.load <= 0.0) {
            return None;
        }
        // Each row times the parameters should be 1.
        let row = |carries: &Carries| {
            terms(carries.replicas).map(|term| term * carries.load / f64::from(carries.replicas))
        };
        let rows: Vec<Vector> = measured.iter().map(row).collect();
        let residuals =
            |linear: &Vector| rows.iter().map(|row| (1.0 - dot(row, linear)).powi(2)).sum::<f64>();
        let fits = [[true, true, true], [true, false, true], [true, true, false], [true, false, false]];
        let possible = fits.iter().filter_map(|used| solved(&rows, *used));
        let possible = possible.filter(|linear| linear[0] > 0.0 && linear[1] >= 0.0 && linear[2] >= 0.0);
        let linear = possible.min_by(|a, b| residuals(a).total_cmp(&residuals(b)))?;
        // What the intervals of the capacities say, or how badly the law fits if that is more.
        let halves = measured.iter().filter_map(Carries::relative_half);
        let own = halves.map(|half| (half / ERRORS).powi(2)).sum::<f64>() / measured.len() as f64;
        let misfit = residuals(&linear) / (measured.len() - linear.len()) as f64;
        let variance = own.max(misfit).max(LEAST_ERROR * LEAST_ERROR);
        let covariance = inverse(&normal(&rows))?.map(|row| row.map(|value| value * variance));
        let [whole, contention, coherency] = linear;
        let ratio = |index: usize, value: f64| {
            let ratio = value / whole;
            let squares = covariance[index][index] + ratio * ratio * covariance[0][0]
                - 2.0 * ratio * covariance[0][index];
            Parameter { value: ratio, error: squares.max(0.0).sqrt() / whole }
        };
        Some(Self {
            each: Parameter { value: 1.0 / whole, error: covariance[0][0].max(0.0).sqrt() / (whole * whole) },
            contention: ratio(1, contention),
            coherency: ratio(2, coherency),
            points: measured.len(),
            linear,
            covariance,
        })
    }

    /// What some replicas carry by this law.
    pub(super) fn carries(&self, replicas: u32) -> Carries {
        let terms = terms(replicas);
        let each = dot(&terms, &self.linear);
        let squares: f64 =
            terms.iter().zip(&self.covariance).map(|(term, row)| term * dot(row, &terms)).sum();
        Carries::of_log(replicas, f64::from(replicas) / each, ERRORS * squares.max(0.0).sqrt() / each)
    }
}

/// What the three parameters are multiplied with.
fn terms(replicas: u32) -> Vector {
    let others = f64::from(replicas) - 1.0;
    [1.0, others, f64::from(replicas) * others]
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The products of each two columns.
fn normal(rows: &[Vector]) -> Matrix {
    let mut normal = [[0.0; 3]; 3];
    for row in rows {
        for (sums, a) in normal.iter_mut().zip(row) {
            for (sum, b) in sums.iter_mut().zip(row) {
                *sum += a * b;
            }
        }
    }
    normal
}

/// The parameters with the least squares if the unused ones are 0; `None` if the rows do not determine them.
fn solved(rows: &[Vector], used: [bool; 3]) -> Option<Vector> {
    let mut normal = normal(rows);
    let mut sums = [0.0; 3];
    for index in 0..3 {
        if used[index] {
            sums[index] = rows.iter().map(|row| row[index]).sum();
            continue;
        }
        normal[index] = [0.0; 3];
        for row in &mut normal {
            row[index] = 0.0;
        }
        normal[index][index] = 1.0;
    }
    Some(inverse(&normal)?.map(|row| dot(&row, &sums)))
}

/// By cofactors; `None` if there is no inverse.
fn inverse(matrix: &Matrix) -> Option<Matrix> {
    let minor = |row: usize, column: usize| {
        let at = |row: usize, column: usize| matrix[row % 3][column % 3];
        at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1)
    };
    let determinant: f64 = (0..3).map(|column| matrix[0][column] * minor(0, column)).sum();
    let scale = matrix[0][0] * matrix[1][1] * matrix[2][2];
    if determinant.abs() <= 1e-12 * scale.abs() {
        return None;
    }
    let index = [0, 1, 2];
    Some(index.map(|row| index.map(|column| minor(column, row) / determinant)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fake_inference::random::Stream;

    /// The quantile of Student's t with 3 degrees of freedom, of which a search makes the intervals of four estimates.
    const T_975: f64 = 3.182;
    /// Standard deviation of the logarithm of one probe's estimate.
    const NOISE: f64 = 0.03;

    struct Random(Stream, u64);

    impl Random {
        fn unit(&mut self) -> f64 {
            self.1 += 1;
            self.0.unit(self.1)
        }

        /// By Box and Muller.
        fn normal(&mut self) -> f64 {
            let (radius, angle) = (self.unit().max(1e-12), self.unit());
            (-2.0 * radius.ln()).sqrt() * (2.0 * std::f64::consts::PI * angle).cos()
        }

        /// A capacity as a search finds it: the mean of four estimates, with Student's interval.
        fn searched(&mut self, replicas: u32, truth: f64) -> Carries {
            let estimates: [f64; 4] = std::array::from_fn(|_| truth.ln() + NOISE * self.normal());
            let mean = estimates.iter().sum::<f64>() / 4.0;
            let squares: f64 = estimates.iter().map(|estimate| (estimate - mean).powi(2)).sum();
            Carries::of_log(replicas, mean.exp(), T_975 * (squares / 12.0).sqrt())
        }
    }

    fn truth((each, contention, coherency): (f64, f64, f64), replicas: u32) -> f64 {
        let replicas = f64::from(replicas);
        replicas * each / (1.0 + contention * (replicas - 1.0) + coherency * replicas * (replicas - 1.0))
    }

    /// λ, σ and κ of services that scale linearly, that queue for something, that exchange data, and that do both.
    const SERVICES: [(f64, f64, f64); 6] = [
        (38.0, 0.0, 0.0),
        (38.0, 0.01, 0.0),
        (150.0, 0.08, 0.0),
        (38.0, 0.0, 0.002),
        (150.0, 0.03, 0.001),
        (38.0, 0.1, 0.005),
    ];
    const MEASURED: [&[u32]; 3] = [&[1, 2, 4, 8], &[1, 2, 3, 4, 6], &[2, 4, 6, 8, 10]];

    #[test]
    fn capacities_without_noise_give_their_law_again() {
        for service in SERVICES {
            let exact =
                MEASURED[0].iter().map(|&replicas| Carries::of_log(replicas, truth(service, replicas), 0.0));
            let found = Scaling::of(&exact.collect::<Vec<_>>()).unwrap();
            assert!((found.each.value / service.0 - 1.0).abs() < 1e-9, "{found:?}");
            assert!((found.contention.value - service.1).abs() < 1e-9, "{found:?}");
            assert!((found.coherency.value - service.2).abs() < 1e-9, "{found:?}");
        }
        let three: Vec<_> = [1, 2, 4].map(|replicas| Carries::of_log(replicas, 38.0, 0.02)).into();
        assert_eq!(Scaling::of(&three), None);
    }

    #[test]
    fn the_interval_holds_the_true_load_in_nine_of_ten_fits() {
        let mut random = Random(Stream::new(7, 0), 0);
        for service in SERVICES {
            for measured in MEASURED {
                let most = measured[measured.len() - 1];
                let mut held = vec![0; most as usize * 2];
                for _ in 0..500 {
                    let searched: Vec<_> = measured
                        .iter()
                        .map(|&replicas| random.searched(replicas, truth(service, replicas)))
                        .collect();
                    let law = Scaling::of(&searched).unwrap();
                    for (held, replicas) in held.iter_mut().zip(1..) {
                        let Carries { low, high, .. } = law.carries(replicas);
                        *held += u32::from((low..=high).contains(&truth(service, replicas)));
                    }
                }
                let least = held.iter().min().unwrap();
                assert!(*least >= 450, "{service:?} measured at {measured:?}: {held:?} of 500");
            }
        }
    }

    #[test]
    fn the_standard_errors_hold_the_true_parameters() {
        let mut random = Random(Stream::new(8, 0), 0);
        for service in SERVICES {
            let mut held = [0; 3];
            let mut spread = [(0.0, 0.0); 3];
            for _ in 0..500 {
                let searched =
                    MEASURED[0].iter().map(|&replicas| random.searched(replicas, truth(service, replicas)));
                let law = Scaling::of(&searched.collect::<Vec<_>>()).unwrap();
                let found = [law.each, law.contention, law.coherency];
                for (((held, spread), found), truth) in
                    held.iter_mut().zip(&mut spread).zip(found).zip([service.0, service.1, service.2])
                {
                    *held += u32::from((found.value - truth).abs() <= 2.0 * found.error);
                    *spread = (spread.0 + (found.value - truth).powi(2), spread.1 + found.error.powi(2));
                }
            }
            // Careful, because the capacities' own intervals are uncertain, but not useless. A parameter that is truly 0
            // is often found exactly, because none may be negative.
            for ((true_error, told), truth) in spread.into_iter().zip([service.0, service.1, service.2]) {
                let wider = (told / true_error).sqrt();
                assert!(
                    truth == 0.0 || (1.0..4.0).contains(&wider),
                    "{service:?}: {wider:.2} times too wide"
                );
            }
            assert!(held.iter().all(|held| *held >= 450), "{service:?}: {held:?} of 500");
        }
    }
}
