//! The matrix in a cluster, whichever it is, and what it brings home.

use std::path::Path;

use super::check;
use super::driver::{Driver, Job, Planned};
use super::images::Tags;
use super::verdict::Verdict;
use crate::failure::Failure;
use crate::run::Session;

/// The matrix as a Job, and its results whatever became of it.
pub(super) async fn sweep(
    session: &Session,
    driver: &Driver,
    tags: &Tags,
    results: &Path,
    verdict: &mut Verdict,
) -> Job {
    let step = session.progress.begin("run the matrix");
    let mut job = match driver.job(session, tags).await {
        Ok(job) => job,
        Err(failure) => Job { run_id: None, ended: Err(failure) },
    };
    session.progress.end(step, job.ended.is_ok());
    if let Some(run_id) = &job.run_id {
        match session.step("fetch the results", driver.fetch(session, results, run_id)).await {
            Ok(folder) => verdict.results = Some(folder),
            Err(failure) => job.ended = job.ended.and(Err(failure)),
        }
    }
    job
}

/// That every planned scenario came home is the last thing to be checked, and then said.
pub(super) fn complete(verdict: &mut Verdict, planned: &Planned) -> Result<(), Failure> {
    check::every_scenario_has_its_record(verdict.results.as_deref(), planned)?;
    verdict.scenarios = planned.count();
    Ok(())
}
