//! What came of a trial.

use std::time::Duration;

use e2e::namespace::Problem;

use crate::driver::Ending;
use crate::records::Faulty;

/// What came of a trial.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How each start of the driver ended.
    pub(crate) endings: Vec<Ending>,
    pub(crate) records: Faulty,
    /// A load, process, object, lease or file that should not be there.
    pub(crate) leftovers: Vec<Problem>,
    /// Deployments with other replicas than before the run.
    pub(crate) replicas: Vec<Problem>,
    /// What went wrong with the driver, such as an exit code that it must not have.
    pub(crate) driver: Vec<Problem>,
    /// Why the fault did not happen.
    pub(crate) missed: Option<Problem>,
    /// How long the first driver ran.
    pub(crate) ran: Duration,
    /// How long all of it took.
    pub(crate) took: Duration,
}

impl Outcome {
    /// Everything that should not be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let Faulty { lost, twice, wrong, other, .. } = &self.records;
        let named = [
            ("lost", lost),
            ("twice", twice),
            ("wrong total", wrong),
            ("records", other),
            ("left", &self.leftovers),
            ("replicas", &self.replicas),
            ("driver", &self.driver),
        ];
        named.iter().flat_map(|(name, all)| all.iter().map(move |one| format!("{name}: {one}"))).collect()
    }
}
