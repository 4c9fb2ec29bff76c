//! `locust-matrix run`: drives the matrix. This is what the Job's pod does.

mod arguments;
mod prepare;
mod restore;
mod resume;

use std::time::Instant;

use tokio_util::sync::CancellationToken;

pub use self::arguments::Arguments;
use self::prepare::{Prepared, prepare};
use self::restore::{recorded_by_an_earlier_pod, restore};
use super::signals;
use crate::cluster::{Cluster, ClusterFlags, Lease, confirm_target};
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
    let interrupted = signals::interrupted();
    let superseded = CancellationToken::new();
    let cluster = Cluster::connect(flags).await?;
    let deployment = config.inference.deployment.clone();
    confirm_target(&cluster, &deployment, arguments.yes, events).await?;
    let holder = arguments.holder.clone().unwrap_or_else(default_holder);
    let lease = Lease::acquire(&cluster, &holder, superseded.clone()).await?;
    let prepared = tokio::select! {
        prepared = prepare(&cluster, arguments, port, config, plan, events) => prepared,
        () = interrupted.cancelled() => Err(Error::interrupted("interrupted before the first scenario")),
    };
    let (ended, original) = match prepared {
        Ok(prepared) => {
            let original = prepared.original;
            (measure(prepared, interrupted, superseded.clone()).await, Some(original))
        }
        // An earlier pod of this run may have scaled already.
        Err(error) => (Err(error), recorded_by_an_earlier_pod(&cluster, arguments.run_id.as_deref()).await),
    };
    // If another driver has taken over, it scales now, and it puts the replicas back.
    let original = original.filter(|_| !superseded.is_cancelled());
    let (ended, last_lines) = match ended {
        Ok((code, last_lines)) => (Ok(code), last_lines),
        Err(error) => (Err(error), Vec::new()),
    };
    let restored = match original {
        Some(original) => restore(&cluster, &deployment, original, events).await,
        None => Ok(()),
    };
    lease.release().await;
    let code = first_error(ended, restored, events)?;
    last_lines.into_iter().for_each(|text| events.tell(Progress::Answer { text }));
    Ok(code)
}

/// Ends with the first error. A second one is shown, because it may need a hand, too.
fn first_error(ended: Result<ExitCode>, restored: Result<()>, events: &Events) -> Result<ExitCode> {
    if let (Err(_), Err(error)) = (&ended, &restored) {
        events.tell(Progress::RestoreFailed { error: error.to_string() });
    }
    let code = ended?;
    restored.map(|()| code)
}

fn default_holder() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "driver".into());
    format!("{host}-{}", std::process::id())
}

/// Measures the scenarios that are not recorded yet and writes the reports. Returns the exit code and the last lines for
/// people: the goals that do not pass, and the answer of a search.
async fn measure(
    prepared: Prepared,
    interrupted: CancellationToken,
    superseded: CancellationToken,
) -> Result<(ExitCode, Vec<String>)> {
    let Prepared { setup, plan, run, records, file, store, folder, _forward, .. } = prepared;
    let begun = Instant::now();
    let mut matrix = Matrix { setup, plan, run, records, file, store: Some(store), interrupted, superseded };
    let ended = matrix.run().await;
    let judged = JudgedRun::of(&matrix.records);
    let written = if judged.rows.is_empty() { Ok(Vec::new()) } else { report::write(&judged, &folder) };
    matrix.setup.events.tell(Progress::RunEnded {
        recorded: judged.rows.len(),
        valid: judged.valid(),
        took_s: begun.elapsed().as_secs_f64(),
    });
    ended?;
    written?;
    let (code, reasons) = exit_code(&judged);
    let answer = Answer::of(&judged).map(|answer| answer.to_string());
    Ok((code, reasons.into_iter().chain(answer).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn the_first_error_ends_the_command_and_the_second_is_shown() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
        let (disk, api) = (Error::preflight("disk full"), Error::cluster("API away"));
        let end = |ended, restored| first_error(ended, restored, &events);
        assert_eq!(end(Err(disk.clone()), Err(api.clone())), Err(disk.clone()));
        assert_eq!(*told.lock().unwrap(), ["API away"]);
        assert_eq!(end(Err(disk.clone()), Ok(())), Err(disk));
        assert_eq!(end(Ok(ExitCode::Scenario), Err(api.clone())), Err(api));
        assert_eq!(end(Ok(ExitCode::Scenario), Ok(())), Ok(ExitCode::Scenario));
    }
}
