//! What to measure and how. [`Settings`] are what the settings file and the flags say, each of them optional;
//! [`Config`] is complete and checked.

mod check;
mod complete;
mod flags;
mod method;
mod preset;
mod settings;
mod span;

pub use complete::{Config, Inference, Timeouts};
pub use flags::MatrixFlags;
pub use method::{Objective, Until};
pub use preset::Preset;
pub use settings::Settings;
pub use span::Span;
