//! Runs the matrix in a cluster of any kind, and fetches its results.

use std::path::Path;

use super::completeness;
use super::driver::{Driver, Job, Plan};
use super::images::ImageNames;
use super::summary::Summary;
use crate::failure::Failure;
use crate::run::Session;

/// Runs the matrix as a Job and fetches its results, also if the Job has failed.
pub(super) async fn run(
    session: &Session,
    driver: &Driver,
    images: &ImageNames,
    results: &Path,
    summary: &mut Summary,
) -> Job {
    let step = session.progress.begin("run the matrix");
    let mut job = match driver.job(session, images).await {
        Ok(job) => job,
        Err(failure) => Job { run_id: None, ended: Err(failure) },
    };
    session.progress.end(step, job.ended.is_ok());
    if let Some(run_id) = &job.run_id {
        match session.step("fetch the results", driver.fetch(session, results, run_id)).await {
            Ok(folder) => summary.results = Some(folder),
            Err(failure) => job.ended = job.ended.and(Err(failure)),
        }
    }
    job
}

/// Checks that every planned scenario has a record, and notes their number for the summary.
pub(super) fn check_complete(summary: &mut Summary, planned: &Plan) -> Result<(), Failure> {
    completeness::every_scenario_has_its_record(summary.results.as_deref(), planned)?;
    summary.scenarios = planned.count();
    if planned.is_search()
        && let Some(folder) = &summary.results
    {
        let text = std::fs::read_to_string(folder.join(records::FILE_NAME)).unwrap_or_default();
        summary.scenarios = completeness::recorded(&text);
    }
    Ok(())
}
