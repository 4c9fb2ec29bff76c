//! What to measure and how. [`Settings`] come from the settings file and the flags, and each of them is
//! optional; a [`Config`] is complete and checked.

mod address;
mod capacity;
mod check;
mod complete;
mod counter;
mod flags;
mod job;
mod list;
mod method;
mod objective;
mod preset;
mod search;
mod settings;
mod settings_error;
mod span;
mod workload;

pub use address::{PodPage, Probe};
pub use capacity::{CapacitySettings, GateFlag, SearchedLoad, Unknown};
pub use check::{MOST_RUNS, refuse_credentials};
pub use complete::{Config, Inference, RecordSettings, Timeouts, pool_for};
pub use counter::Counter;
pub use flags::MatrixFlags;
pub use job::JobSettings;
pub use method::Until;
pub use objective::Goal;
pub use preset::Preset;
pub use settings::Settings;
pub use span::Span;
pub use workload::WorkloadName;
