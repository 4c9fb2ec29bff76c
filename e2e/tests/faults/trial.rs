//! One trial: it starts a run, strikes it with a fault, resumes it, and then checks the records and the cluster.

mod before;
mod run;

use std::path::Path;
use std::time::{Duration, Instant};

use e2e::namespace::Problem;
use rustix::process::Signal;

use crate::disk::Disk;
use crate::driver::Ending;
use crate::fault::{Fault, NodeFault, Trial};
use crate::lane::Lane;
use crate::outcome::Outcome;
use crate::records::{Faulty, examine};
use crate::strike::strike;
use before::Before;
use run::{Run, SETTINGS};

/// How often a run is started or resumed after the fault.
const MOST_ATTEMPTS: usize = 6;
/// How long the driver may take to end. Its own longest wait is below 3 minutes.
const ENDS_WITHIN: Duration = Duration::from_mins(4);
/// Replicas, workers and users of the plan of [`SETTINGS`].
const PLAN: [(u32, u32, u32); 4] = [(1, 1, 4), (1, 2, 4), (2, 1, 4), (2, 2, 4)];

/// Carries out a trial. `expected` is how long an undisturbed run takes.
///
/// # Errors
/// The cluster cannot be used at all.
pub(crate) fn carry_out(lane: &mut Lane, trial: &Trial, expected: Duration) -> Result<Outcome, Problem> {
    let folder = lane.folder().join(format!("trial-{}", trial.number));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    std::fs::write(folder.join("matrix.yaml"), SETTINGS).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let before = Before::read(lane.cluster()?.namespace())?;
    let mut outcome = Outcome::default();
    let disk = (trial.fault == Fault::FullDisk).then(|| Disk::mount(&folder.join("results")));
    let disk = match disk {
        Some(Err(problem)) => {
            outcome.missed = Some(problem);
            None
        }
        disk => disk.and_then(Result::ok),
    };

    let mut run = Run::new(&folder);
    run.start(lane.cluster()?)?;
    let started = Instant::now();
    let second = disturb(lane, trial, expected.mul_f64(trial.moment), &mut run, disk.as_ref(), &mut outcome)?;
    outcome.endings.push(run.wait(ENDS_WITHIN));
    outcome.ran = started.elapsed();
    if trial.fault == Fault::Node(NodeFault::KillCluster) {
        outcome.leftovers.extend(lane.bury().err());
    }
    if let Some(disk) = &disk {
        disk.free();
    }
    if let Some(mut second) = second {
        conclude_second(&mut second, &mut outcome);
    }
    while outcome.endings.last().is_some_and(|ending| ending.is_resumable()) {
        if outcome.endings.len() == MOST_ATTEMPTS {
            outcome.driver.push(format!("not complete after {MOST_ATTEMPTS} attempts: {}", run.last_lines()));
            break;
        }
        run.start(lane.cluster()?)?;
        outcome.endings.push(run.wait(ENDS_WITHIN));
    }
    if let Some(ending) = outcome.endings.last()
        && !ending.is_complete()
        && !ending.is_resumable()
    {
        outcome.driver.push(format!("it ended with {ending}: {}", run.last_lines()));
    }
    examine_run(&run, trial.fault, &mut outcome);
    if trial.fault == Fault::None && outcome.records.statuses.contains_key("INFEASIBLE") {
        outcome.driver.push("the cluster has no room for this plan: use fewer lanes".into());
    }
    before.compare(lane.cluster()?, &folder, &mut outcome);
    outcome.took = begun.elapsed();
    if !outcome.problems().is_empty() {
        // The next trial must not inherit anything.
        let _ = lane.end();
    }
    Ok(outcome)
}

/// Waits for the moment, and makes the fault happen. Returns the second driver if it is the fault.
fn disturb(
    lane: &mut Lane,
    trial: &Trial,
    moment: Duration,
    run: &mut Run,
    disk: Option<&Disk>,
    outcome: &mut Outcome,
) -> Result<Option<Run>, Problem> {
    let at = Instant::now() + moment;
    while Instant::now() < at && !run.has_ended() {
        std::thread::sleep(Duration::from_millis(5));
    }
    if run.has_ended() && trial.fault != Fault::None {
        outcome.missed = Some("the run had ended".into());
    }
    match trial.fault {
        Fault::KillDriver => run.signal(Signal::KILL),
        Fault::InterruptDriver => run.signal(Signal::INT),
        Fault::TerminateDriver => run.signal(Signal::TERM),
        Fault::FullDisk => disk.iter().for_each(|disk| disk.fill()),
        Fault::SecondDriver => {
            let mut second = Run::new(&run.folder().join("second"));
            second.start(lane.cluster()?)?;
            return Ok(Some(second));
        }
        _ => {
            if let Err(problem) = strike(lane.cluster()?, trial) {
                outcome.missed = Some(problem);
            }
        }
    }
    Ok(None)
}

/// Only one of two drivers may measure at a time. The other one is refused, or has its turn later.
fn conclude_second(second: &mut Run, outcome: &mut Outcome) {
    match second.wait(ENDS_WITHIN) {
        // It found the Lease taken.
        Ending::Code(3) => {
            if second.has_records() {
                outcome.driver.push("the second driver was refused, and has records".into());
            }
        }
        ending if ending.is_complete() => examine_run(second, Fault::SecondDriver, outcome),
        ending => {
            let lines = second.last_lines();
            outcome.driver.push(format!("the second driver ended with {ending}: {lines}"));
        }
    }
}

fn examine_run(run: &Run, fault: Fault, outcome: &mut Outcome) {
    let found = run.results().map_or_else(
        || Faulty { other: vec!["there are no results".into()], ..Faulty::default() },
        |results: &Path| examine(results, &PLAN),
    );
    let all = &mut outcome.records;
    all.lost.extend(found.lost);
    all.twice.extend(found.twice);
    all.wrong.extend(found.wrong);
    // The fault may strike after the window, and before the replicas are asked.
    if fault.forgets_counts() && found.unknown.len() <= 1 {
        all.unknown.extend(found.unknown);
    } else {
        let told = found.unknown.iter().map(|id| format!("{id}: its totals are not known"));
        all.wrong.extend(told);
    }
    all.other.extend(found.other);
    all.unmeasured.extend(found.unmeasured);
    for (status, count) in found.statuses {
        *all.statuses.entry(status).or_default() += count;
    }
}
