//! Images: which local program stands for which image.

pub(crate) mod catalog;
pub(crate) mod command;
pub(crate) mod locust;
mod python;
