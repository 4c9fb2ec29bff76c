//! `locust-matrix run`: drives the matrix. This is what the Job's pod does.

mod arguments;
mod continuing;
mod ending;
mod holder;
mod prepare;
mod restore;
mod resume;

use std::time::Instant;

use tokio_util::sync::CancellationToken;

pub use self::arguments::Arguments;
use self::continuing::continue_while_ours;
use self::ending::{end, first_error};
use self::holder::unique_holder;
use self::prepare::{Prepared, prepare};
use self::restore::recorded_by_an_earlier_pod;
use super::signals;
use crate::cluster::{Cluster, ClusterFlags, Lease, confirm_target};
use crate::config::Settings;
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::judge::JudgedRun;
use crate::plan::Grid;
use crate::report;
use crate::scenario::{Matrix, make_usable};

/// Drives the matrix to its end.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; 3: something is missing; 4: the cluster or Locust failed;
/// 130: interrupted.
pub async fn run(flags: &ClusterFlags, arguments: &Arguments, events: &Events) -> Result<ExitCode> {
    let config = Settings::from_flags(&arguments.matrix)?.complete()?;
    let plan = Grid::of(&config);
    let port = arguments.web_ui.bind_port().await?;
    let interrupted = signals::interrupted(events, signals::RUN_LEFT);
    let superseded = CancellationToken::new();
    let cluster = Cluster::connect(flags).await?;
    let deployment = config.inference.deployment.clone();
    confirm_target(&cluster, &deployment, arguments.yes, events).await?;
    let holder = arguments.holder.clone().unwrap_or_else(unique_holder);
    let mut lease = tokio::select! {
        lease = Lease::acquire(&cluster, &holder, superseded.clone()) => lease?,
        () = interrupted.cancelled() => return Err(Error::interrupted("interrupted before the first scenario")),
    };
    let prepared = tokio::select! {
        prepared = prepare(&cluster, arguments, &holder, port, config, plan, events) => prepared,
        () = interrupted.cancelled() => Err(Error::interrupted("interrupted before the first scenario")),
        () = superseded.cancelled() => Err(Error::cluster("the Lease was lost before the first scenario")),
    };
    let (ended, original) = match prepared {
        Ok(prepared) => {
            let original = prepared.original;
            (measure(prepared, &mut lease, interrupted, superseded).await, Some(original))
        }
        // An earlier pod of this run may have scaled already.
        Err(error) => (Err(error), recorded_by_an_earlier_pod(&cluster, arguments.run_id.as_deref()).await),
    };
    end(&cluster, lease, &deployment, original, ended, events).await
}

/// Measures the scenarios that are not recorded yet and writes the reports.
async fn measure(
    prepared: Prepared,
    lease: &mut Lease,
    interrupted: CancellationToken,
    superseded: CancellationToken,
) -> Result<ExitCode> {
    let Prepared { setup, plan, run, records, file, store, folder, _forward, .. } = prepared;
    let begun = Instant::now();
    let plan = Box::new(plan);
    let (events, limit) = (setup.events.clone(), setup.config.timeouts.master.get());
    let (signal, first) = (interrupted.clone(), superseded.clone());
    let mut matrix = Matrix { setup, plan, run, records, file, store: Some(store), interrupted, superseded };
    let mut is_first = true;
    let ended = continue_while_ours(lease, first, (limit, &signal), &events, async |lost| {
        matrix.superseded = lost;
        if !std::mem::take(&mut is_first) {
            make_usable(&matrix.setup.cluster, &matrix.setup.load, limit, &events).await?;
        }
        matrix.run().await
    });
    let ended = ended.await;
    let judged = JudgedRun::of(&matrix.records);
    let written = if judged.rows.is_empty() { Ok(Vec::new()) } else { report::write(&judged, &folder) };
    events.tell(Progress::RunEnded {
        recorded: judged.rows.len(),
        valid: judged.valid(),
        took_s: begun.elapsed().as_secs_f64(),
    });
    first_error([ended, written.map(drop)], &events)?;
    Ok(if judged.has_failure() { ExitCode::Scenario } else { ExitCode::Success })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

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
