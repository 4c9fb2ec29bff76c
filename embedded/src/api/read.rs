//! Requests that change nothing.

pub(crate) mod discovery;
pub(crate) mod log;
pub(crate) mod objects;
pub(crate) mod openapi;
pub(crate) mod port_forward;
pub(crate) mod review;
pub(crate) mod watch;
