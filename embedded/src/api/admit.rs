//! Admission: defaults, and the rules for valid objects.

pub(crate) mod admission;
mod defaults;
mod job_labels;
pub(crate) mod typed;
mod validate;
pub(super) mod warnings;
