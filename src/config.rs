//! What to measure and how. [`Settings`] come from the settings file and the flags, and each of them is
//! optional; a [`Config`] is complete and checked.

mod capacity;
mod check;
mod complete;
mod flags;
mod job;
mod method;
mod objective;
mod preset;
mod search;
mod settings;
mod span;
mod workload;

pub use capacity::{CapacitySettings, GateFlag, SearchedLoad, Unknown};
pub use check::refuse_credentials;
pub use complete::{Config, Inference, Timeouts};
pub use flags::MatrixFlags;
pub use job::JobSettings;
pub use method::Until;
pub use objective::Goal;
pub use preset::Preset;
pub use settings::Settings;
pub use span::Span;
pub use workload::WorkloadName;
