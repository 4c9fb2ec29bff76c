//! Runs that a random fault strikes at a random moment. Afterwards every scenario is recorded once, the totals of
//! valid rows are those of the replicas, the replicas are as found, and nothing is left behind. Main jobs that are
//! interrupted at a random moment leave nothing behind either.
//!
//! These variables change what is run:
//!
//! - `FAULTS_COUNT`: how many trials on embedded clusters; without it, one trial for each of a few kinds.
//! - `FAULTS_KIND_COUNT`: how many trials on kind; without it, none.
//! - `FAULTS_CLUSTER`: `embedded` or `kind` leaves the other one out.
//! - `FAULTS_SEED`: the seed; 0 draws another one each time.
//! - `FAULTS_ONLY`: tries only kinds with one of these texts in their names, separated by commas.
//! - `FAULTS_LANES`: how many trials run side by side.
//! - `FAULTS_TABLE`: the file that the table is written to; that of kind gets the ending `.kind`.
//! - `INTERRUPTS_COUNT`, `INTERRUPTS_KIND_COUNT`: how many main jobs are interrupted.

#![expect(clippy::expect_used, reason = "a test that cannot continue has failed")]

mod cluster;
mod disk;
mod driver;
mod embedded;
mod fault;
mod interrupts;
mod kind;
mod lane;
mod lanes;
mod measured;
mod outcome;
mod place;
mod random;
mod records;
mod strike;
mod table;
mod trial;
mod web;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use e2e::leftovers::Before;
use e2e::tool::{Clock, say, set_prefix};

use fault::{Fault, Trial};
use kind::{end_kind_cluster, start_kind_cluster};
use outcome::Outcome;
use place::Place;

/// The seed of the small set, in which no fault comes after the end of its run.
const SMALL_SEED: u64 = 24;

/// Held by each test that fills the machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn no_fault_loses_a_scenario_or_leaves_anything_behind() {
    const NAME: &str = "no_fault_loses_a_scenario_or_leaves_anything_behind";
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _clock = Clock::start(NAME);
    if let Some(reason) = left_out("embedded") {
        return say(&format!("{NAME}: not run: {reason}"));
    }
    let (seed, trials) = if let Some(count) = number("FAULTS_COUNT") {
        let seed = seed();
        (seed, fault::draw(seed, count, &named(&Place::Embedded.faults())))
    } else {
        let kinds = named(&Fault::SMALL);
        let seed = number("FAULTS_SEED").unwrap_or(SMALL_SEED);
        (seed, fault::draw(seed, kinds.len(), &kinds))
    };
    let table = std::env::var("FAULTS_TABLE").ok().map(PathBuf::from);
    try_all(&Place::Embedded, seed, trials, table);
}

#[test]
fn no_fault_on_kind_loses_a_scenario_or_leaves_anything_behind() {
    const NAME: &str = "no_fault_on_kind_loses_a_scenario_or_leaves_anything_behind";
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _clock = Clock::start(NAME);
    let count = number("FAULTS_KIND_COUNT").unwrap_or(0);
    if let Some(reason) = left_out("kind").or_else(|| without_kind(count, "FAULTS_KIND_COUNT")) {
        return say(&format!("{NAME}: not run: {reason}"));
    }
    let before = Before::read();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    set_prefix("[cluster] ");
    let kept = start_kind_cluster(folder.path());
    let name = kept.name.clone();
    let place = Place::Kind(kept);
    let seed = seed();
    let trials = fault::draw(seed, count, &named(&place.faults()));
    let table = std::env::var("FAULTS_TABLE").ok().map(|path| PathBuf::from(format!("{path}.kind")));
    // The cluster must be deleted even if trials fail.
    let tried = std::panic::catch_unwind(|| try_all(&place, seed, trials, table));
    end_kind_cluster();
    before.assert_nothing_left(&name);
    if let Err(failure) = tried {
        std::panic::resume_unwind(failure);
    }
}

#[test]
fn an_interrupted_main_job_leaves_nothing_behind() {
    const NAME: &str = "an_interrupted_main_job_leaves_nothing_behind";
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _clock = Clock::start(NAME);
    let count = number("INTERRUPTS_COUNT").unwrap_or(0);
    if let Some(reason) = left_out("embedded").or_else(|| unwanted(count, "INTERRUPTS_COUNT")) {
        return say(&format!("{NAME}: not run: {reason}"));
    }
    interrupts::interrupt(e2e::embedded::xtask_e2e, "lm-test-interrupted", seed(), count);
}

#[test]
fn an_interrupted_main_job_on_kind_leaves_nothing_behind() {
    const NAME: &str = "an_interrupted_main_job_on_kind_leaves_nothing_behind";
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _clock = Clock::start(NAME);
    let count = number("INTERRUPTS_KIND_COUNT").unwrap_or(0);
    if let Some(reason) = left_out("kind").or_else(|| without_kind(count, "INTERRUPTS_KIND_COUNT")) {
        return say(&format!("{NAME}: not run: {reason}"));
    }
    interrupts::interrupt(e2e::kind::xtask_e2e, "lm-test-interrupted", seed(), count);
}

/// Why `FAULTS_CLUSTER` leaves out the trials on this kind of cluster.
fn left_out(cluster: &str) -> Option<String> {
    let wanted = std::env::var("FAULTS_CLUSTER").ok()?;
    (wanted != cluster).then(|| format!("FAULTS_CLUSTER={wanted}"))
}

/// Why nothing is done on kind.
fn without_kind(count: usize, variable: &str) -> Option<String> {
    std::env::var("E2E_NO_KIND").ok().or_else(|| unwanted(count, variable))
}

/// Why nothing is done, if this variable asks for none.
fn unwanted(count: usize, variable: &str) -> Option<String> {
    (count == 0).then(|| format!("{variable} asks for none"))
}

/// Carries out the trials and prints their table. Fails if one has failed or was not carried out.
fn try_all(place: &Place, seed: u64, trials: Vec<Trial>, table_file: Option<PathBuf>) {
    say(&format!("{} trials with FAULTS_SEED={seed}", trials.len()));
    let count = trials.len();
    let begun = Instant::now();
    let done = lanes::carry_out(place, seed, trials, number("FAULTS_LANES").unwrap_or(place.lanes()));
    let carried_out = done.iter().filter(|(trial, _)| trial.number > 0).count();
    let failed: Vec<String> =
        done.iter().filter(|(_, outcome)| !outcome.problems().is_empty()).map(failure).collect();
    let outcomes: Vec<(Fault, Outcome)> =
        done.into_iter().map(|(trial, outcome)| (trial.fault, outcome)).collect();
    let table = table::render(&outcomes);
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    say(&format!("\n{table}\nseed {seed}, {} runs, {minutes:.0} minutes", outcomes.len()));
    if let Some(path) = table_file {
        std::fs::write(&path, &table).unwrap_or_else(|error| say(&format!("{}: {error}", path.display())));
    }
    assert_eq!(carried_out, count, "trials were not carried out: see above");
    assert!(failed.is_empty(), "seed {seed}: {} trials failed:\n{}", failed.len(), failed.join("\n"));
}

fn failure((trial, outcome): &(Trial, Outcome)) -> String {
    format!("trial {} ({}): {}", trial.number, trial.fault.name(), outcome.problems().join("; "))
}

/// The kinds that `FAULTS_ONLY` leaves.
fn named(kinds: &[Fault]) -> Vec<Fault> {
    let words = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let is_named = |kind: &Fault| words.split(',').any(|word| kind.name().contains(word));
    kinds.iter().copied().filter(is_named).collect()
}

/// The seed that the variable names, or one that differs each time.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    number("FAULTS_SEED").filter(|seed| *seed != 0).unwrap_or(now.as_secs())
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}
