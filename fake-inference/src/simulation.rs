//! Simulated load tests, closed and open: discrete events, no clock, the same trace for the same seed.
//!
//! R replicas have S slots each, and a queue before them: first come, first served. Users keep their
//! replica, as keep-alive connections do, and have at most one request under way. In the *closed* model
//! a user receives an answer, thinks for some time and sends its next request. In the *open* model
//! requests are due at a rate. The user that has been free for the longest time sends a due request; if
//! no user is free, the request waits for one.
//!
//! The traces are data with a known truth, to test statistics with: confidence intervals, stopping rules,
//! comparisons. Sources: the method is next-event simulation (Law, *Simulation Modeling and Analysis*,
//! 5th edition, 2015, chapters 1 and 2); the distributions are those of [`crate::service_time`]; that
//! connections and not requests are spread over the replicas is how kube-proxy works. Tests compare with
//! the machine-repair model ([`crate::closed_loop::theory`]), with M/M/c ([`mmc`]) and with Little's law.
//!
//! Not simulated: the time that a client and a network add, and a limit of the generator's CPU.

mod engine;
pub mod mmc;
mod model;
pub mod trace;

pub use model::{Arrivals, Connections, Load, SHED_SECONDS, Service, Simulation, Think};
pub use trace::{Counts, Request, Trace};

#[cfg(test)]
mod tests;
