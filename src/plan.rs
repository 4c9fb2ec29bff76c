//! Which scenarios a run measures, in which order, and the hash that a resumed run must have again.

mod capacity;
mod contract;
mod grid;
mod outcome;

pub use capacity::{
    Capacity, Carries, Found, Limit, Needed, Parameter, Scaling, SearchPlan, confirmation_ids, found, needed,
    scaling,
};
pub(crate) use capacity::{at_least, at_most, load_of};
pub use contract::{Plan, expected, hex};
pub use grid::Grid;
pub use outcome::{Meets, Outcome, Worth};

use crate::config::Config;

/// The plan of a configuration.
pub fn plan_of(config: &Config) -> Box<dyn Plan> {
    match config.search() {
        Some(search) => Box::new(SearchPlan { search }),
        None => Box::new(Grid::of(config)),
    }
}
