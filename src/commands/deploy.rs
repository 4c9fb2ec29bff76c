//! `locust-matrix deploy`: applies the manifests and waits until everything is ready.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterFlags, Unready, await_ready, read_workload};
use crate::config::{MatrixFlags, Settings, Span, WorkloadName};
use crate::deploy::{Approved, Image, Overlay, allow_scaling, apply, approve, diff, objects, refuse_foreign};
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::objects::{LOAD_PODS, MASTER, STUB_PODS, WORKERS};

/// Flags that choose the manifests and change them.
#[derive(clap::Args, Debug)]
pub struct ManifestFlags {
    /// Part of the manifests to apply
    #[arg(long, value_enum, default_value = "base")]
    overlay: Overlay,
    /// Replace an image of the manifests: NAME=IMAGE:TAG; may be given several times
    #[arg(long = "image", value_name = "NAME=IMAGE")]
    images: Vec<Image>,
    /// Your own locustfile instead of the one in the manifests
    #[arg(long, value_name = "FILE")]
    locustfile: Option<PathBuf>,
}

/// Arguments of `deploy`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    manifests: ManifestFlags,
    /// Settings file of the matrix; the driver's Role then permits scaling its `inference.deployment`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to wait until everything is ready
    #[arg(long, value_name = "TIME", default_value = "3m")]
    timeout: Span,
    /// Print the objects as JSON instead of applying them
    #[arg(long)]
    print: bool,
    /// Print the changes that the cluster would make, and change nothing
    #[arg(long, conflicts_with = "print")]
    dry_run: bool,
}

/// Applies the manifests and waits until every Deployment is ready. If an object is foreign, or the API server
/// refuses one, nothing is applied.
///
/// # Errors
/// Exit code 3: no cluster, a missing permission, a foreign object or an image that cannot be pulled; 4: a Deployment does not become ready in time.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut dyn std::io::Write,
) -> Result<ExitCode> {
    let mut objects = arguments.manifests.objects()?;
    if arguments.config.is_some() {
        let matrix = MatrixFlags { config: arguments.config.clone(), ..MatrixFlags::default() };
        let settings = Settings::from_flags(&matrix)?;
        allow_scaling(&mut objects, &settings.inference.target(), settings.pause_autoscaler);
    }
    if arguments.print {
        let _ = writeln!(out, "{}", serde_json::to_string_pretty(&objects).unwrap_or_default());
        return Ok(ExitCode::Success);
    }
    let cluster = Cluster::connect(flags).await?;
    if arguments.dry_run {
        return print_changes(&cluster, &objects, out).await;
    }
    let started = Instant::now();
    let approved = approve(&cluster, objects).await?.into_iter();
    let (workers, others): (Vec<_>, Vec<_>) = approved
        .partition(|one| one.object["kind"] == "Deployment" && one.object["metadata"]["name"] == WORKERS);
    let limit = arguments.timeout.get();
    let await_all = async |objects: &[Approved]| {
        let deployments =
            objects.iter().map(|one| &one.object).filter(|object| object["kind"] == "Deployment");
        let ready = deployments.map(|one| await_deployment(&cluster, one, limit, events, started));
        try_join_all(ready).await.map(drop)
    };
    let master = cluster.api::<Deployment>().get_opt(MASTER).await;
    let master_exists = master.is_ok_and(|master| master.is_some());
    apply(&cluster, &others).await?;
    if master_exists {
        // During a rollout of the master, new workers could connect to the old master, and would notice only
        // after a minute that it is gone.
        await_all(&others).await?;
    }
    apply(&cluster, &workers).await?;
    let applied =
        format!("applied {} objects to namespace {}", others.len() + workers.len(), cluster.namespace);
    events.tell(Progress::phase(applied, started.elapsed()));
    if master_exists {
        await_all(&workers).await?;
    } else {
        tokio::try_join!(await_all(&others), await_all(&workers))?;
    }
    Ok(ExitCode::Success)
}

impl ManifestFlags {
    /// The objects of the chosen manifests.
    ///
    /// # Errors
    /// Exit code 2: the locustfile cannot be read.
    pub fn objects(&self) -> Result<Vec<Value>> {
        let locustfile = self.locustfile.as_deref().map(read_locustfile).transpose()?;
        objects(self.overlay, &self.images, locustfile.as_deref())
    }
}

/// Prints the changes that applying `objects` would make in the cluster.
///
/// # Errors
/// As [`run`], before anything is applied.
pub async fn print_changes(
    cluster: &Cluster,
    objects: &[Value],
    out: &mut dyn std::io::Write,
) -> Result<ExitCode> {
    refuse_foreign(cluster, objects).await?;
    for line in diff(cluster, objects).await? {
        let _ = writeln!(out, "{line}");
    }
    Ok(ExitCode::Success)
}

fn read_locustfile(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::usage(format!("locustfile {}: {error}", path.display()))
            .next("give the path of a Python file with --locustfile")
    })
}

/// Waits until a Deployment has the replicas of its spec.
async fn await_deployment(
    cluster: &Cluster,
    deployment: &Value,
    limit: Duration,
    events: &Events,
    started: Instant,
) -> Result<()> {
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let workload = read_workload(cluster, &WorkloadName::deployment(name)).await?;
    let tell = events.waiting(name);
    await_ready(cluster, &workload, workload.replicas, limit, None, &tell).await.map_err(|unready| {
        let pods = if matches!(name, MASTER | WORKERS) { LOAD_PODS } else { STUB_PODS };
        let advice = format!("look at it with: kubectl describe pods -l {pods}");
        let message = unready.describe(&format!("deployment {}/{name}", cluster.namespace));
        match unready {
            Unready::Refused(error) => error,
            Unready::Broken(_) | Unready::AsBefore(_) | Unready::Unplaced(_) => {
                Error::preflight(message).next(advice)
            }
            Unready::Away(_) | Unready::Rescaled { .. } | Unready::TimedOut(_) => {
                Error::cluster(message).next(advice)
            }
        }
    })?;
    events.tell(Progress::phase(format!("{name}: {} ready", workload.replicas), started.elapsed()));
    Ok(())
}
