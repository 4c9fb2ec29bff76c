//! What findings ask of a point of the matrix.

use records::Scenario;

use crate::judge::{Point, Row};

impl Point<'_, '_> {
    pub(super) fn scenario(&self) -> Option<&Scenario> {
        self.first().map(|row| &row.record.scenario)
    }

    pub(super) fn is_open(&self) -> bool {
        self.first().is_some_and(Row::is_open)
    }

    /// Whether both have the same model and the same workers.
    fn has_generator_of(&self, other: &Self) -> bool {
        let key = |point: &Self| point.scenario().map(|scenario| (scenario.mode, scenario.workers));
        key(self) == key(other)
    }

    /// Whether both differ in replicas alone, or in nothing.
    pub(super) fn has_load_of(&self, other: &Self) -> bool {
        self.has_generator_of(other) && self.load().total_cmp(&other.load()).is_eq()
    }

    /// Whether both differ in the load alone, or in nothing.
    pub(super) fn has_pods_of(&self, other: &Self) -> bool {
        self.has_generator_of(other) && self.replicas() == other.replicas()
    }

    /// Users, or requests per second in the open model.
    pub(super) fn load(&self) -> f64 {
        self.scenario().map_or(0.0, |scenario| scenario.rate.unwrap_or_else(|| f64::from(scenario.users)))
    }

    pub(super) fn replicas(&self) -> u32 {
        self.scenario().map_or(0, |scenario| scenario.replicas)
    }
}
