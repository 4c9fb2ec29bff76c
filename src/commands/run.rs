//! `locust-matrix run`: drives the matrix. This is what the Job's pod does.

mod arguments;
mod ending;
mod holder;
mod prepare;
mod provenance;
mod restore;
mod resume;
mod service;

use std::path::Path;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

pub use self::arguments::Arguments;
use self::ending::{end, first_error};
use self::holder::unique_holder;
use self::prepare::{Claimed, Prepared, prepare};
use self::restore::left_by_an_earlier_driver;
use self::resume::known_run;
use super::edited::set_edited_aside;
use super::signals;
use crate::cluster::{Cluster, ClusterFlags, Lease, confirm_target, is_left_paused, may_scale};
use crate::config::Settings;
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::judge::{Answer, JudgedRun, exit_code};
use crate::plan::plan_of;
use crate::report;
use crate::scenario::Matrix;

/// Drives the matrix to its end.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; 3: something is missing; 4: the cluster or Locust failed;
/// 130: interrupted.
pub async fn run(flags: &ClusterFlags, arguments: &Arguments, events: &Events) -> Result<ExitCode> {
    let config = Settings::from_flags(&arguments.matrix)?.complete()?;
    let plan = plan_of(&config);
    let port = arguments.web_ui.bind_port().await?;
    let interrupted = signals::interrupted(events, signals::RUN_LEFT);
    let superseded = CancellationToken::new();
    // A credential plugin may ask a person, and it is asked again when its token has expired.
    let preparing = async {
        let cluster = Cluster::connect(flags, events).await?;
        let target = confirm_target(&cluster, &config.inference.target(), arguments.yes, events).await?;
        may_scale(&cluster, &target).await?;
        // A run that was killed may have left one paused. Then it stays so until the end of this one.
        let pauses = config.pause_autoscaler || is_left_paused(&cluster, &target).await;
        let holder = arguments.holder.clone().unwrap_or_else(unique_holder);
        let tell = events.waiting("the Lease");
        let lease = Lease::acquire(&cluster, &holder, superseded.clone(), &tell).await?;
        Ok((cluster, target, pauses, lease))
    };
    let (cluster, target, pauses, lease) = signals::unless_interrupted(&interrupted, preparing).await?;
    let claimed = Claimed { cluster: &cluster, lease: &lease, target: &target, pauses };
    let prepared = tokio::select! {
        prepared = prepare(&claimed, arguments, port, config, plan, events) => prepared,
        () = interrupted.cancelled() => Err(Error::interrupted("interrupted before the first scenario")),
        () = superseded.cancelled() => Err(Error::cluster("the Lease was lost before the first scenario")),
    };
    let (ended, original) = match prepared {
        Ok(prepared) => {
            let original = prepared.original;
            (Box::pin(measure(prepared, arguments.run_id.is_some(), interrupted)).await, Some(original))
        }
        Err(error) => {
            let run = known_run(arguments.run_id.as_deref(), arguments.resume.as_deref());
            (Err(error), left_by_an_earlier_driver(&cluster, run.as_deref(), &target).await)
        }
    };
    let (ended, last_lines) = match ended {
        Ok((code, last_lines)) => (Ok(code), last_lines),
        Err(error) => (Err(error), Vec::new()),
    };
    let code = end(&cluster, lease, &target, pauses, original, ended, events).await?;
    for text in last_lines {
        events.tell(Progress::Answer { text });
    }
    Ok(code)
}

/// Measures the scenarios that are not recorded yet and writes the reports. Returns the exit code and the last lines for
/// people: the goals that do not pass, and the answer of a search.
async fn measure(
    prepared: Prepared,
    is_pod: bool,
    interrupted: CancellationToken,
) -> Result<(ExitCode, Vec<String>)> {
    let Prepared { setup, plan, run, records, file, store, folder, _forward, .. } = prepared;
    let begun = Instant::now();
    let mut matrix = Matrix { setup, plan, run, records, file, store: Some(store), interrupted };
    let ended = Box::pin(matrix.run()).await;
    let judged = JudgedRun::of(&matrix.records);
    let written = if judged.rows.is_empty() {
        Ok(())
    } else {
        set_edited_aside(&folder, &matrix.setup.events)
            .and_then(|()| report::write(&judged, &folder))
            .and_then(|_| report::append_to_job(&judged))
    };
    matrix.setup.events.tell(Progress::RunEnded {
        recorded: judged.rows.len(),
        valid: judged.valid(),
        took_s: begun.elapsed().as_secs_f64(),
    });
    // Also after an error: whatever was recorded is there.
    let results = where_results_are(&matrix.run.run_id, &folder, judged.rows.len(), is_pod);
    matrix.setup.events.tell(Progress::note(results));
    first_error([ended, written], &matrix.setup.events)?;
    let (code, reasons) = exit_code(&judged);
    let answer = Answer::of(&judged).map(|answer| answer.to_string());
    Ok((code, reasons.into_iter().chain(answer).collect()))
}

/// Where the results of a run are. A pod's own folder ends with the pod.
fn where_results_are(run_id: &str, folder: &Path, recorded: usize, is_pod: bool) -> String {
    match (recorded, is_pod) {
        (0, _) => "no results: no scenario was recorded".to_owned(),
        (_, true) => {
            format!("results: in the cluster; bring them home with: locust-matrix fetch --run {run_id}")
        }
        (_, false) => format!("results: {}", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_run_says_where_its_results_are() {
        let said = |recorded, is_pod| where_results_are("7f", Path::new("results/7f"), recorded, is_pod);
        assert_eq!(said(2, false), "results: results/7f");
        assert!(said(2, true).ends_with("locust-matrix fetch --run 7f"));
        assert!(said(0, false).starts_with("no results"));
    }

    #[test]
    fn the_first_error_ends_the_command_and_the_others_are_shown() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
        let (disk, api) = (Error::preflight("disk full"), Error::cluster("API away"));
        assert_eq!(first_error([Err(disk.clone()), Err(api.clone()), Ok(1)], &events), Err(disk.clone()));
        assert_eq!(*told.lock().unwrap(), ["API away"]);
        assert_eq!(first_error([Ok(1), Err(disk.clone()), Err(api)], &events), Err(disk));
        assert_eq!(first_error([Ok(1), Ok(2)], &events), Ok(1));
        assert_eq!(told.lock().unwrap().len(), 2);
    }
}
