//! `locust-matrix run`: drives the matrix. This is what the Job's pod does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::signals;
use super::web_ui::{WebUiFlags, forward_to_master};
use crate::cluster::{
    Cluster, ClusterFlags, Lease, LocalPort, PodHttp, PortForward, WORKER, confirm_target, read_workload,
    scale,
};
use crate::config::{Config, MatrixFlags, Settings};
use crate::events::{Event, Events};
use crate::exit::{Error, ExitCode, Result};
use crate::load::Locust;
use crate::plan::{Plan, Scenario, expected};
use crate::record::{Found, Mirror, Record, RecordFile, RunState, Setting};
use crate::report::Report;
use crate::scenario::{Matrix, Run, Setup, quiet};

/// How long the API server may take to put the replicas back.
const PUT_BACK_WITHIN: Duration = Duration::from_secs(20);

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Web address of Locust's master, where it can be reached from here (default: a port of its pod,
    /// forwarded through the API server)
    #[arg(long, value_name = "URL", env = "LOCUST_MATRIX_LOCUST_URL", conflicts_with = "ui_port")]
    locust_url: Option<String>,
    #[command(flatten)]
    web_ui: WebUiFlags,
    /// Folder for the results; each run gets a folder of its own in it
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Go on with the run in this folder: what is recorded there is not measured again
    #[arg(long, value_name = "DIR", conflicts_with = "results")]
    resume: Option<PathBuf>,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long, env = "LOCUST_MATRIX_YES")]
    yes: bool,
    /// What kind of cluster this is, for the records
    #[arg(long, value_name = "KIND", env = "LOCUST_MATRIX_CLUSTER_KIND", default_value = "existing")]
    cluster_kind: String,
    /// The run this pod works on: the Job's UID
    #[arg(long, value_name = "ID", env = "LOCUST_MATRIX_RUN_ID", hide = true)]
    run_id: Option<String>,
    /// Folder of that run, in the pod
    #[arg(long, value_name = "DIR", env = "LOCUST_MATRIX_RESULTS", hide = true, requires = "run_id")]
    run_folder: Option<PathBuf>,
    /// This driver's name on the Lease
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide = true)]
    holder: Option<String>,
    // The last, because what follows would stand under its heading.
    #[command(flatten)]
    matrix: MatrixFlags,
}

/// Drives the matrix to its end.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; 3: something is missing; 4: the cluster or Locust failed;
/// 130: interrupted.
pub async fn run(flags: &ClusterFlags, arguments: &Arguments, events: &Events) -> Result<ExitCode> {
    let config = Settings::from_flags(&arguments.matrix)?.complete()?;
    let plan = Plan::of(&config);
    let port = arguments.web_ui.bind_port().await?;
    let interrupted = signals::interrupted();
    let superseded = CancellationToken::new();
    let cluster = Cluster::connect(flags).await?;
    confirm_target(&cluster, &config.inference.deployment, arguments.yes, events).await?;
    let deployment = config.inference.deployment.clone();
    let holder = arguments.holder.clone().unwrap_or_else(default_holder);
    let lease = Lease::acquire(&cluster, &holder, superseded.clone()).await?;
    let prepared = tokio::select! {
        prepared = prepare(&cluster, arguments, port, config, plan, events) => prepared,
        () = interrupted.cancelled() => Err(Error::interrupted("interrupted before the first scenario")),
    };
    let ended = match prepared {
        Ok((prepared, found)) => drive(prepared, found, interrupted, superseded).await,
        Err(error) => {
            // An earlier pod of this run may have scaled already.
            if let Some(found) = left_scaled(&cluster, arguments).await {
                put_back(&cluster, &deployment, found, events).await?;
            }
            Err(error)
        }
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
    /// Keeps the way to Locust open.
    _way: Option<PortForward>,
}

async fn prepare(
    cluster: &Cluster,
    arguments: &Arguments,
    port: Option<LocalPort>,
    config: Config,
    plan: Plan,
    events: &Events,
) -> Result<(Prepared, Found)> {
    let client = crate::http::prober(Duration::from_secs(2))?;
    let longest = longest_load(&config, &plan);
    let (load, way, reach) = if let Some(url) = &arguments.locust_url {
        (Locust::new(url)?.with_longest(longest), None, PodHttp::InsideCluster(client))
    } else {
        let way = forward_to_master(cluster, port, events).await?;
        (
            Locust::new(&way.url)?.with_longest(longest),
            Some(way),
            PodHttp::OutsideCluster(client, cluster.clone()),
        )
    };
    let (snapshot, mirrored, inference, workers) = tokio::try_join!(
        quiet(&load, config.timeouts.master.get(), events),
        Mirror::read(cluster),
        read_workload(cluster, &config.inference.deployment),
        read_workload(cluster, WORKER),
    )?;
    let images =
        [(inference.name.clone(), inference.image.clone()), (workers.name.clone(), workers.image.clone())];
    let plan_hash = plan.hash(&config, &images, &snapshot.locust);
    let (run_id, folder, recorded) = origin(arguments)?;
    let found = Found { inference: inference.replicas, workers: workers.replicas };
    let fresh = RunState { run_id: run_id.clone(), plan_hash, found };
    let (state, records) = resumed(mirrored, recorded, fresh)?;
    let file = RecordFile::create(&folder.join("results.jsonl"), &records)?;
    let mirror = Mirror::begin(cluster, &state, &records).await?;
    let generator = format!("Locust {}", snapshot.locust);
    if let Some(caveat) = &snapshot.caveat {
        events.tell(Event::note(caveat.clone()));
    }
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
        percentile_digits: snapshot.percentile_digits,
        order_seed: config.is_shuffled().then_some(config.seed),
    };
    let setup = Setup {
        cluster: cluster.clone(),
        load,
        config,
        inference,
        workers,
        setting,
        reach,
        events: events.clone(),
    };
    let run = Run { run_id, plan_hash: state.plan_hash };
    Ok((Prepared { setup, plan, run, records, file, mirror, folder, _way: way }, state.found))
}

/// Longer than the load of any scenario: ramp, warm-up, measurement, and a minute for the cuts.
fn longest_load(config: &Config, plan: &Plan) -> Duration {
    let ramp = |scenario: &Scenario| f64::from(scenario.users) / config.spawn_rate_for(scenario.users);
    let ramp = plan.scenarios.iter().map(ramp).fold(0.0, f64::max);
    let rest = [config.timeouts.ramp.get(), config.warmup.get(), config.longest(), Duration::from_mins(1)];
    Duration::from_secs_f64(ramp) + rest.iter().sum::<Duration>()
}

/// The run's id and folder, and what that folder has recorded.
fn origin(arguments: &Arguments) -> Result<(String, PathBuf, Vec<Record>)> {
    if let Some(folder) = &arguments.resume {
        let records = RecordFile::read(&folder.join("results.jsonl"))?;
        let Some(first) = records.first() else {
            return Err(Error::usage(format!("--resume {}: nothing is recorded there", folder.display()))
                .next("leave --resume out: there is nothing to go on from"));
        };
        return Ok((first.run_id.clone(), folder.clone(), records));
    }
    let run_id = arguments.run_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let folder = arguments.run_folder.clone().unwrap_or_else(|| arguments.results.join(&run_id));
    Ok((run_id, folder, Vec::new()))
}

/// The state and the records to go on from: the cluster's, where it holds this run, with those of the
/// folder. A run goes on only with what it was begun with.
fn resumed(
    (state, mirrored): (Option<RunState>, Vec<Record>),
    mut records: Vec<Record>,
    fresh: RunState,
) -> Result<(RunState, Vec<Record>)> {
    let state = state.filter(|state| state.run_id == fresh.run_id);
    let mirrored = mirrored.into_iter().filter(|record| record.run_id == fresh.run_id);
    for record in mirrored {
        if !records.iter().any(|known| known.scenario.id == record.scenario.id) {
            records.push(record);
        }
    }
    let begun_with =
        state.iter().map(|state| &state.plan_hash).chain(records.iter().map(|record| &record.plan_hash));
    if begun_with.into_iter().any(|hash| *hash != fresh.plan_hash) {
        let message = format!(
            "run {} cannot go on: settings, images or Locust's version have changed since it began",
            fresh.run_id
        );
        return Err(Error::usage(message).next("start a new run, or put back what it was begun with"));
    }
    Ok((state.unwrap_or(fresh), records))
}

async fn drive(
    prepared: Prepared,
    found: Found,
    interrupted: CancellationToken,
    superseded: CancellationToken,
) -> Result<ExitCode> {
    let Prepared { setup, plan, run, records, file, mirror, folder, _way } = prepared;
    let begun = std::time::Instant::now();
    let mut matrix =
        Matrix { setup, plan, run, records, file, mirror: Some(mirror), interrupted, superseded };
    let ended = matrix.run().await;
    let taken_over = matrix.superseded.is_cancelled();
    let report = Report::of(&matrix.records);
    if !matrix.records.is_empty() {
        report.write(&folder)?;
    }
    for (record, judged) in
        matrix.records.iter().zip(matrix.records.iter().filter_map(|r| report.record(&r.scenario.id)))
    {
        // What only several records together can tell.
        if record.verdict.judgement != judged.verdict.judgement {
            let (status, reasons) = (judged.verdict.judgement.status(), judged.verdict.reasons.join("; "));
            matrix
                .setup
                .events
                .tell(Event::note(format!("{}: {status} after all: {reasons}", record.scenario.id)));
        }
    }
    let valid = report.records.iter().filter(|record| record.is_valid()).count();
    matrix.setup.events.tell(Event::RunEnded {
        recorded: matrix.records.len(),
        valid,
        took_s: begun.elapsed().as_secs_f64(),
    });
    // Another driver scales now: what it found is its to put back.
    let Setup { cluster, inference, events, .. } = &matrix.setup;
    let restored = if taken_over { Ok(()) } else { put_back(cluster, &inference.name, found, events).await };
    if let (Err(_), Err(error)) = (&ended, &restored) {
        // Only one error ends the command, and this one asks for a hand, too.
        events.tell(Event::note(format!("{error}")));
    }
    ended.and(restored)?;
    let failed = matrix.records.iter().any(|record| record.verdict.judgement.is_failure());
    Ok(if failed { ExitCode::Scenario } else { ExitCode::Success })
}

/// What an earlier pod of this run found before it scaled.
async fn left_scaled(cluster: &Cluster, arguments: &Arguments) -> Option<Found> {
    let run_id = arguments.run_id.as_deref()?;
    let (state, _) = timeout(PUT_BACK_WITHIN, Mirror::read(cluster)).await.ok()?.ok()?;
    state.filter(|state| state.run_id == run_id).map(|state| state.found)
}

/// Scales both Deployments back to what was found.
async fn put_back(cluster: &Cluster, inference: &str, found: Found, events: &Events) -> Result<()> {
    let Found { inference: replicas, workers } = found;
    let back =
        async { tokio::try_join!(scale(cluster, inference, replicas), scale(cluster, WORKER, workers)) };
    let silent = || Err(Error::cluster("the API server does not answer"));
    timeout(PUT_BACK_WITHIN, back).await.unwrap_or_else(|_| silent()).map_err(|error| {
        let found = format!("{inference} had {replicas} replicas, {WORKER} {workers}");
        Error::new(error.code, format!("{}; {found}", error.message))
            .next("scale them back by hand: kubectl scale deployment")
    })?;
    events.tell(Event::note(format!("replicas as found: {inference} {replicas}, {WORKER} {workers}")));
    Ok(())
}
