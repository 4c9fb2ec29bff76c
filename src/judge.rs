//! The one place that judges. Records go in, judgements come out, and no judgement is ever stored: the console,
//! the exit code and every report ask here.

mod alone;
mod answer;
mod cause;
mod certainty;
mod check;
mod gate;
mod goal;
mod goals;
mod judged;
mod outcomes;
mod points;
mod row;
mod run;
mod verdict;
mod worker_pairs;

pub use alone::judge_alone;
pub use answer::{Answer, Confirmation};
pub use cause::Cause;
pub use certainty::{Certainty, certainty_of_point, certainty_of_row, goodput_of_point};
pub use check::Check;
pub use gate::{checks, exit_code, of_the_whole_run};
pub use goal::{Goal, Limited};
pub use goals::{GoalOutcome, outcome_of};
pub use judged::Judged;
pub use outcomes::outcomes;
pub use points::{Point, all_points, drift, drift_ends, points};
pub use row::Row;
pub use run::JudgedRun;
pub use verdict::{Judgement, Verdict};
pub use worker_pairs::WorkerPair;

#[cfg(test)]
pub(crate) use judged::tests;
