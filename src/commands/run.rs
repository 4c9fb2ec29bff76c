//! `locust-matrix run`: drives the matrix. This is what the Job's pod does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::signals;
use crate::cluster::{
    Cluster, ClusterFlags, Found, Lease, Mirror, RunState, WORKER, Workload, scale, workload,
};
use crate::config::{Config, MatrixFlags, Settings};
use crate::events::{Event, Events};
use crate::exit::{Error, ExitCode, Result};
use crate::load::Locust;
use crate::plan::{Plan, expected};
use crate::record::{Record, RecordFile, Setting};
use crate::report::Report;
use crate::scenario::{Matrix, Run, Setup, quiet};

/// How long Locust's master may take to answer at first.
const MASTER_ANSWERS: Duration = Duration::from_secs(90);

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    matrix: MatrixFlags,
    /// Web address of Locust's master
    #[arg(
        long,
        value_name = "URL",
        env = "LOCUST_MATRIX_LOCUST_URL",
        default_value = "http://locust-master:8089"
    )]
    locust_url: String,
    /// Folder for records and reports
    #[arg(long, value_name = "DIR", env = "LOCUST_MATRIX_RESULTS", default_value = "results")]
    results: PathBuf,
    /// The run; one that the cluster holds records of is resumed (default: a new one)
    #[arg(long, value_name = "ID", env = "LOCUST_MATRIX_RUN_ID")]
    run_id: Option<String>,
    /// What kind of cluster this is, for the records
    #[arg(long, value_name = "KIND", env = "LOCUST_MATRIX_CLUSTER_KIND", default_value = "existing")]
    cluster_kind: String,
    /// This driver's name on the Lease (default: the host's name)
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide = true)]
    holder: Option<String>,
}

/// Drives the matrix to its end.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; 3: something is missing; 4: the cluster or Locust failed;
/// 130: interrupted.
pub async fn run(flags: &ClusterFlags, arguments: &Arguments, events: &Events) -> Result<ExitCode> {
    let config = Settings::from_flags(&arguments.matrix)?.complete()?;
    let plan = Plan::of(&config);
    let interrupted = signals::interrupted();
    let superseded = CancellationToken::new();
    let cluster = Cluster::connect(flags).await?;
    let holder = arguments.holder.clone().unwrap_or_else(default_holder);
    let lease = Lease::take(&cluster, &holder, superseded.clone()).await?;
    let prepared = tokio::select! {
        prepared = prepare(&cluster, arguments, config, plan, events) => prepared,
        () = interrupted.cancelled() => Err(Error::interrupted("interrupted before the first scenario")),
    };
    let ended = match prepared {
        Ok((prepared, found)) => drive(prepared, found, interrupted, superseded).await,
        Err(error) => Err(error),
    };
    lease.release().await;
    ended
}

fn default_holder() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "driver".into());
    format!("{host}-{}", std::process::id())
}

/// What a run needs before its first scenario.
struct Prepared {
    setup: Setup<Locust>,
    plan: Plan,
    run: Run,
    records: Vec<Record>,
    file: RecordFile,
    mirror: Mirror,
    folder: PathBuf,
}

async fn prepare(
    cluster: &Cluster,
    arguments: &Arguments,
    config: Config,
    plan: Plan,
    events: &Events,
) -> Result<(Prepared, Found)> {
    let load = Locust::new(&arguments.locust_url)?;
    let (snapshot, mirrored, inference, workers) = tokio::try_join!(
        quiet(&load, MASTER_ANSWERS, events),
        Mirror::read(cluster),
        workload(cluster, &config.inference.deployment),
        workload(cluster, WORKER),
    )?;
    let images =
        [(inference.name.clone(), inference.image.clone()), (workers.name.clone(), workers.image.clone())];
    let plan_hash = plan.hash(&config, &images, &snapshot.locust);
    let run_id = arguments.run_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let (state, records) = resumed(mirrored, &run_id, &plan_hash, &inference, &workers)?;
    let folder = match &arguments.run_id {
        Some(_) => arguments.results.clone(),
        None => arguments.results.join(&run_id),
    };
    let file = RecordFile::create(&folder.join("results.jsonl"), &records)?;
    let mirror = Mirror::begin(cluster, &state, &records).await?;
    let generator = format!("Locust {}", snapshot.locust);
    let left = plan.scenarios.iter().filter(|s| !records.iter().any(|r| r.scenario.id == s.id));
    events.tell(Event::RunStarted {
        run_id: run_id.clone(),
        scenarios: plan.scenarios.len(),
        recorded: records.len(),
        expected_s: left.map(|scenario| expected(scenario, &config).as_secs_f64()).sum(),
        generator: generator.clone(),
        target: config.inference.url.clone(),
    });
    let setting = Setting {
        cluster: arguments.cluster_kind.clone(),
        target: config.inference.url.clone(),
        primary: config.inference.primary.clone(),
        images: BTreeMap::from(images),
        generator,
        percentile_digits: 3,
    };
    let http = crate::http::client(Duration::from_secs(2))?;
    let setup = Setup {
        cluster: cluster.clone(),
        load,
        config,
        inference,
        workers,
        setting,
        http,
        events: events.clone(),
    };
    let found = state.found;
    Ok((Prepared { setup, plan, run: Run { run_id, plan_hash }, records, file, mirror, folder }, found))
}

/// The state to go on from: the cluster's, where it is of this run, else a new one.
fn resumed(
    (state, records): (Option<RunState>, Vec<Record>),
    run_id: &str,
    plan_hash: &str,
    inference: &Workload,
    workers: &Workload,
) -> Result<(RunState, Vec<Record>)> {
    match state {
        Some(state) if state.run_id == run_id => {
            if state.plan_hash != plan_hash {
                return Err(Error::usage(format!("run {run_id} cannot go on: settings, images or Locust's version have changed since it began"))
                    .next("start a new run, or put back what it was begun with"));
            }
            let records = records.into_iter().filter(|record| record.run_id == run_id).collect();
            Ok((state, records))
        }
        _ => {
            let found = Found { inference: inference.replicas, workers: workers.replicas };
            Ok((RunState { run_id: run_id.into(), plan_hash: plan_hash.into(), found }, Vec::new()))
        }
    }
}

async fn drive(
    prepared: Prepared,
    found: Found,
    interrupted: CancellationToken,
    superseded: CancellationToken,
) -> Result<ExitCode> {
    let Prepared { setup, plan, run, records, file, mirror, folder } = prepared;
    let begun = std::time::Instant::now();
    let mut matrix =
        Matrix { setup, plan, run, records, file, mirror: Some(mirror), interrupted, superseded };
    let ended = matrix.run().await;
    let taken_over = matrix.superseded.is_cancelled();
    let report = Report::of(&matrix.records);
    if !matrix.records.is_empty() {
        report.write(&folder)?;
    }
    let valid = matrix.records.iter().filter(|record| record.is_valid()).count();
    matrix.setup.events.tell(Event::RunEnded {
        recorded: matrix.records.len(),
        valid,
        took_s: begun.elapsed().as_secs_f64(),
    });
    // Another driver scales now: what it found is its to put back.
    if !taken_over {
        put_back(&matrix.setup, found).await?;
    }
    ended?;
    Ok(if valid == matrix.records.len() { ExitCode::Success } else { ExitCode::Scenario })
}

/// Scales both Deployments back to what was found.
async fn put_back(setup: &Setup<Locust>, found: Found) -> Result<()> {
    tokio::try_join!(
        scale(&setup.cluster, &setup.inference.name, found.inference),
        scale(&setup.cluster, &setup.workers.name, found.workers),
    )?;
    let text = format!(
        "replicas as found: {} {}, {} {}",
        setup.inference.name, found.inference, setup.workers.name, found.workers
    );
    setup.events.tell(Event::note(text));
    Ok(())
}
