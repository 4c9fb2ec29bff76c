//! How many replicas of an inference service carry how many users?
//!
//! The driver sweeps *replicas × Locust workers × users* through the Kubernetes API and Locust's web
//! API, and writes records from which every report is derived. Modules use each other in one
//! direction only:
//!
//! ```text
//! config → plan → cluster → deploy → load → measure → record → judge → report
//! ```
//!
//! `scenario` is the single conductor; `exit`, `wait`, `files`, `http`, `events`, `objects` and `secrets` may be
//! used by every module.

#[cfg(test)]
extern crate self as locust_matrix;

pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod deploy;
pub mod events;
pub mod exit;
pub mod files;
#[cfg(test)]
mod golden;
pub mod http;
pub mod judge;
pub mod load;
pub mod measure;
pub mod objects;
pub mod plan;
pub mod record;
pub mod report;
pub mod scenario;
pub mod secrets;
pub mod wait;
