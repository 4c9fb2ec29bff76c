//! Requests that change objects.

mod apply;
pub(crate) mod delete;
pub(crate) mod evict;
mod fields;
mod lists;
mod managed_fields;
pub(crate) mod objects;
pub(crate) mod patch;
pub(crate) mod scale;
mod strategic;
