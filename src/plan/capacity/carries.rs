//! The load that some replicas carry.

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

impl Carries {
    /// A load with the half-width of the interval of its logarithm.
    pub(super) fn of_log(replicas: u32, load: f64, half: f64) -> Self {
        Self { replicas, load, half: load * (half.exp() - (-half).exp()) / 2.0 }
    }
}
