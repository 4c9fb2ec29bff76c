//! `locust-matrix fetch`: brings home the records of a run, and makes its reports.

use std::io::Write;
use std::path::PathBuf;

use crate::cluster::{Cluster, ClusterFlags};
use crate::exit::{Error, ExitCode, Result};
use crate::judge::{JudgedRun, exit_code};
use crate::record::{ConfigMapStore, RecordFile};
use crate::report;

/// Arguments of `fetch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Folder for the results; each run gets a folder of its own in it
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// The run that is expected (default: whichever the cluster holds)
    #[arg(long = "run", value_name = "ID")]
    run_id: Option<String>,
}

/// Fetches; prints the run's folder to `out`. Ends with the exit code of the run: 5 if a scenario was not measured, 6 if
/// an objective is missed or unknown.
///
/// # Errors
/// Exit code 3: no cluster; 4: it holds no records of that run.
pub async fn run(flags: &ClusterFlags, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode> {
    let cluster = Cluster::connect(flags).await?;
    let (state, mut stored) = ConfigMapStore::read(&cluster, arguments.run_id.as_deref()).await?;
    if let Some(wanted) = &arguments.run_id {
        stored.retain(|record| record.run_id == *wanted);
    } else if let Some(state) = &state {
        stored.retain(|record| record.run_id == state.run_id);
    }
    let Some(first) = stored.first() else {
        let of = arguments.run_id.as_deref().map(|id| format!(" of run {id}")).unwrap_or_default();
        return Err(Error::cluster(format!("namespace {} holds no records{of}", cluster.namespace))
            .next("a record is there as soon as the first scenario has ended"));
    };
    let folder = arguments.results.join(&first.run_id);
    RecordFile::create(&folder.join(records::FILE_NAME), &stored)?;
    let judged = JudgedRun::of(&stored);
    report::write(&judged, &folder)?;
    let _ = writeln!(out, "{}", folder.display());
    Ok(exit_code(&judged).0)
}
