//! Carries out trials on lanes side by side, each with a cluster of its own.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use e2e::required;
use e2e::tool::{say, set_prefix};

use crate::fault::Trial;
use crate::lane::Lane;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::trial;

/// What all lanes share.
struct Shared<'a> {
    place: &'a Place,
    waiting: Mutex<VecDeque<Trial>>,
    done: Mutex<Vec<(Trial, Outcome)>>,
    seed: u64,
}

/// Carries out the trials; those whose fault would strike other lanes come last, one after the other. Returns the
/// outcomes in the order of their numbers. Trials without a cluster are missing.
pub(crate) fn carry_out(place: &Place, seed: u64, trials: Vec<Trial>, lanes: usize) -> Vec<(Trial, Outcome)> {
    let (alone, beside): (Vec<_>, Vec<_>) =
        trials.into_iter().partition(|trial| place.is_shared_by_lanes(trial.fault));
    let mut done = Vec::new();
    for (name, trials, lanes) in [("lane", beside, lanes), ("alone", alone, 1)] {
        if trials.is_empty() {
            continue;
        }
        let shared = Shared { place, waiting: Mutex::new(trials.into()), done: Mutex::new(Vec::new()), seed };
        std::thread::scope(|scope| {
            for lane in 1..=lanes {
                let shared = &shared;
                scope.spawn(move || run_lane(&format!("{name}-{lane}"), shared));
            }
        });
        done.extend(shared.done.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    done.sort_by_key(|(trial, _)| trial.number);
    done
}

/// Carries out trials on one cluster until none is waiting. The first run is not disturbed; the moments of the faults are
/// shares of the time that it takes.
fn run_lane(name: &str, shared: &Shared<'_>) {
    set_prefix(&format!("[{name}] "));
    let folder = tempfile::Builder::new().prefix("locust-matrix-faults-").tempdir();
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => return say(&format!("no folder: {error}")),
    };
    let mut lane = Lane::new(shared.place, name, folder.path());
    let undisturbed = Trial::undisturbed();
    let Some(expected) = attempt(&mut lane, &undisturbed, Duration::ZERO, shared) else { return };
    loop {
        let next = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(trial) = next else { break };
        if attempt(&mut lane, &trial, expected, shared).is_none() {
            // Another lane may have a cluster for it.
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
fn attempt(lane: &mut Lane, trial: &Trial, expected: Duration, shared: &Shared<'_>) -> Option<Duration> {
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
    outcome.records.unmeasured.iter().for_each(|why| say(why));
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
