//! Runs that a random fault strikes at a random moment. Afterwards every scenario is recorded once, the totals of
//! valid rows are those of the replicas, the replicas are as found, and nothing is left behind.
//!
//! These variables change what is run:
//!
//! - `FAULTS_COUNT`: how many trials; without it, one trial for each of a few kinds.
//! - `FAULTS_SEED`: the seed; 0 draws another one each time.
//! - `FAULTS_ONLY`: tries only kinds with this text in their names.
//! - `FAULTS_LANES`: how many clusters run side by side.
//! - `FAULTS_TABLE`: the file that the table is written to.

mod disk;
mod driver;
mod fault;
mod lane;
mod outcome;
mod random;
mod records;
mod search;
mod strike;
mod table;
mod trial;
mod web;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use e2e::required;
use e2e::tool::{Clock, say, set_prefix};

use fault::{Fault, Trial};
use lane::Lane;
use outcome::Outcome;

/// The seed of the small set, in which no fault comes after the end of its run.
const SMALL_SEED: u64 = 24;

/// What all lanes share.
struct Shared {
    waiting: Mutex<VecDeque<Trial>>,
    done: Mutex<Vec<(Trial, Outcome)>>,
    seed: u64,
}

#[test]
fn no_fault_loses_a_scenario_or_leaves_anything_behind() {
    let _clock = Clock::start("no_fault_loses_a_scenario_or_leaves_anything_behind");
    let (seed, trials) = chosen();
    say(&format!("{} trials with FAULTS_SEED={seed}", trials.len()));
    let shared = Shared { waiting: Mutex::new(trials.into()), done: Mutex::new(Vec::new()), seed };
    let lanes: usize = number("FAULTS_LANES").unwrap_or(2);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for lane in 1..=lanes {
            let shared = &shared;
            scope.spawn(move || run_lane(lane, shared));
        }
    });
    let mut done = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(trial, _)| trial.number);
    let left = shared.waiting.into_inner().unwrap_or_else(PoisonError::into_inner).len();
    let failed: Vec<String> =
        done.iter().filter(|(_, outcome)| !outcome.problems().is_empty()).map(failure).collect();
    let outcomes: Vec<(Fault, Outcome)> =
        done.into_iter().map(|(trial, outcome)| (trial.fault, outcome)).collect();
    let table = table::render(&outcomes);
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    say(&format!("\n{table}\nseed {seed}, {} runs, {minutes:.0} minutes", outcomes.len()));
    if let Ok(path) = std::env::var("FAULTS_TABLE") {
        std::fs::write(&path, &table).unwrap_or_else(|error| say(&format!("{path}: {error}")));
    }
    assert_eq!(left, 0, "trials were not carried out: see above");
    assert!(failed.is_empty(), "seed {seed}: {} trials failed:\n{}", failed.len(), failed.join("\n"));
}

fn failure((trial, outcome): &(Trial, Outcome)) -> String {
    format!("trial {} ({}): {}", trial.number, trial.fault.name(), outcome.problems().join("; "))
}

/// The seed and the trials that the variables ask for.
fn chosen() -> (u64, Vec<Trial>) {
    let word = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let named = |kinds: &[Fault]| -> Vec<Fault> {
        kinds.iter().copied().filter(|kind| kind.name().contains(&word)).collect()
    };
    let seed = number("FAULTS_SEED");
    match number("FAULTS_COUNT") {
        None => {
            let kinds = named(&Fault::SMALL);
            let seed = seed.unwrap_or(SMALL_SEED);
            (seed, fault::draw(seed, kinds.len(), &kinds))
        }
        Some(count) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let seed = seed.filter(|seed| *seed != 0).unwrap_or(now.as_secs());
            (seed, fault::draw(seed, count, &named(&Fault::ALL)))
        }
    }
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Carries out trials on one cluster until none is waiting. The first run is not disturbed; the moments of the faults are
/// shares of the time that it takes.
fn run_lane(number: usize, shared: &Shared) {
    set_prefix(&format!("[lane {number}] "));
    let folder = tempfile::Builder::new().prefix("locust-matrix-faults-").tempdir();
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => return say(&format!("no folder: {error}")),
    };
    let mut lane = Lane::new(folder.path());
    let undisturbed = Trial::undisturbed();
    let Some(expected) = attempt(&mut lane, &undisturbed, Duration::ZERO, shared) else { return };
    loop {
        let next = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(trial) = next else { break };
        if attempt(&mut lane, &trial, expected, shared).is_none() {
            // The test fails, because this trial stays in the list.
            shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_front(trial);
            break;
        }
    }
    if let Err(problem) = lane.end() {
        let outcome =
            Outcome { leftovers: vec![format!("end of the cluster: {problem}")], ..Outcome::default() };
        shared.done.lock().unwrap_or_else(PoisonError::into_inner).push((undisturbed, outcome));
    }
}

/// Carries out one trial, prints its line, and returns how long its first driver ran; `None` if there is no cluster for it.
fn attempt(lane: &mut Lane, trial: &Trial, expected: Duration, shared: &Shared) -> Option<Duration> {
    let outcome = match trial::carry_out(lane, trial, expected) {
        Ok(outcome) => outcome,
        Err(problem) => {
            say(&format!("trial {}: {problem}", trial.number));
            return None;
        }
    };
    let endings: Vec<String> = outcome.endings.iter().map(ToString::to_string).collect();
    let problems = outcome.problems();
    let moment = expected.mul_f64(trial.moment).as_secs_f64();
    say(&format!(
        "trial {:>3}  {:<20}  after {moment:>4.1} s  ended {:<12}  {:?}  {:.0} s  {}{}",
        trial.number,
        trial.fault.name(),
        endings.join(" → "),
        outcome.records.statuses,
        outcome.took.as_secs_f64(),
        if problems.is_empty() { "ok".into() } else { format!("FAILED: {}", problems.join("; ")) },
        outcome.missed.as_ref().map(|why| format!(" (no fault: {why})")).unwrap_or_default(),
    ));
    if !problems.is_empty() {
        keep_evidence(lane.folder(), trial, shared.seed);
    }
    let ran = outcome.ran;
    shared.done.lock().unwrap_or_else(PoisonError::into_inner).push((*trial, outcome));
    Some(ran)
}

/// Copies the trial's folder to where failures of tests are kept.
fn keep_evidence(lane: &Path, trial: &Trial, seed: u64) {
    let name = format!("trial-{}", trial.number);
    let kept =
        PathBuf::from(required("E2E_TARGET")).join("xtask-test/failed").join(format!("faults-{seed}-{name}"));
    let _ = std::fs::remove_dir_all(&kept);
    if kept.parent().is_some_and(|parent| std::fs::create_dir_all(parent).is_ok()) {
        let _ = std::process::Command::new("cp").arg("--recursive").arg(lane.join(&name)).arg(&kept).status();
        say(&format!("its records and logs: {}", kept.display()));
    }
}
