//! Containers: from a container's spec to a group of processes.

pub(crate) mod environment;
pub(crate) mod hosts;
pub(crate) mod launch;
pub(crate) mod logs;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod service_names;
pub(crate) mod substitute;
pub(crate) mod volumes;
pub(crate) mod watchdog;
