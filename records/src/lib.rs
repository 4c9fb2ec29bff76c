//! What a run records: one line of `results.jsonl` per scenario.
//!
//! The driver writes these records, and every report is derived from them. `cargo xtask` reads them with
//! the same types. A record holds observations only: no verdict, no interval, nothing that is concluded.
//! The driver's `judge` concludes, each time anew.

mod compact;
mod file;
mod health;
mod histogram;
mod interval;
mod membership;
mod objective;
mod open;
mod question;
mod record;
mod scenario;
mod shared;
mod upgrade;
mod window;

pub use file::{FILE_NAME, ReadError, read, read_complete_lines};
pub use health::{Health, HealthWindow};
pub use histogram::{Histogram, ms, nearest_rank, three_digits};
pub use interval::{Arrivals, Interval, StoppingRule};
pub use membership::{Member, Membership};
pub use objective::{FAILURES_PCT, Objective};
pub use open::OpenCounts;
pub use question::{Gate, Question, Search};
pub use record::{
    Environment, LeftOut, Provenance, Record, Replica, Sample, Unmeasured, UnmeasuredKind, VERSION,
    WorkerHealth,
};
pub use scenario::{Mode, Scenario};
pub use shared::Shared;
pub use window::{Endpoint, Window};
