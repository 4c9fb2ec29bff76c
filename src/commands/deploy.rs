//! `locust-matrix deploy`: applies the manifests and waits until everything is ready.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterFlags, MASTER, Unready, WORKER, await_ready, workload};
use crate::config::{MatrixFlags, Settings};
use crate::deploy::{Image, Overlay, apply, diff, objects, permit, refuse_foreign};
use crate::events::{Event, Events};
use crate::exit::{Error, ExitCode, Result};

/// What there is to deploy.
#[derive(clap::Args, Debug)]
pub struct Wanted {
    /// Which part of the manifests
    #[arg(long, value_enum, default_value = "base")]
    overlay: Overlay,
    /// Use another image: NAME=IMAGE:TAG; may be given several times
    #[arg(long = "image", value_name = "NAME=IMAGE")]
    images: Vec<Image>,
    /// A locustfile of your own instead of that of the manifests
    #[arg(long, value_name = "FILE")]
    locustfile: Option<PathBuf>,
}

/// Arguments of `deploy`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    wanted: Wanted,
    /// Settings file of the matrix: the driver's Role then names its `inference.deployment`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to wait until everything is ready
    #[arg(long, value_name = "TIME", default_value = "3m")]
    timeout: crate::config::Span,
    /// Print the objects as JSON instead of applying them
    #[arg(long)]
    print: bool,
    /// Show what would change in the cluster instead of changing it
    #[arg(long, conflicts_with = "print")]
    dry_run: bool,
}

/// Applies and waits.
///
/// # Errors
/// Exit code 3: no cluster, a missing permission, a foreign Deployment or an image that cannot be
/// pulled; 4: what was applied does not become ready.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut dyn std::io::Write,
) -> Result<ExitCode> {
    let mut objects = arguments.wanted.objects()?;
    if arguments.config.is_some() {
        let matrix = MatrixFlags { config: arguments.config.clone(), ..MatrixFlags::default() };
        permit(&mut objects, &Settings::from_flags(&matrix)?.inference.deployment);
    }
    if arguments.print {
        let _ = writeln!(out, "{}", serde_json::to_string_pretty(&objects).unwrap_or_default());
        return Ok(ExitCode::Success);
    }
    let cluster = Cluster::connect(flags).await?;
    if arguments.dry_run {
        return changes(&cluster, &objects, out).await;
    }
    let begun = Instant::now();
    refuse_foreign(&cluster, &objects).await?;
    let (workers, others): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == WORKER);
    let limit = arguments.timeout.get();
    let ready = |deployments: &[Value]| {
        let deployments: Vec<_> =
            deployments.iter().filter(|object| object["kind"] == "Deployment").cloned().collect();
        let cluster = &cluster;
        async move { try_join_all(deployments.iter().map(|one| ready(cluster, one, limit, events, begun))).await }
    };
    let rolls = cluster.api::<Deployment>().get_opt(MASTER).await.is_ok_and(|found| found.is_some());
    apply(&cluster, &others).await?;
    if rolls {
        // Workers that start while one master follows the other can connect to the one that goes, and
        // notice only after a minute.
        ready(&others).await?;
    }
    apply(&cluster, &workers).await?;
    let applied =
        format!("applied {} objects to namespace {}", others.len() + workers.len(), cluster.namespace);
    events.tell(Event::phase(applied, begun.elapsed()));
    if rolls {
        ready(&workers).await?;
    } else {
        tokio::try_join!(ready(&others), ready(&workers))?;
    }
    Ok(ExitCode::Success)
}

impl Wanted {
    /// The objects of the manifests.
    ///
    /// # Errors
    /// Exit code 2: the locustfile cannot be read.
    pub fn objects(&self) -> Result<Vec<Value>> {
        let locustfile = self.locustfile.as_deref().map(read_locustfile).transpose()?;
        objects(self.overlay, &self.images, locustfile.as_deref())
    }
}

/// Prints what applying `objects` would change in the cluster.
///
/// # Errors
/// As [`run`], before anything is applied.
pub async fn changes(cluster: &Cluster, objects: &[Value], out: &mut dyn std::io::Write) -> Result<ExitCode> {
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

async fn ready(
    cluster: &Cluster,
    deployment: &Value,
    limit: Duration,
    events: &Events,
    begun: Instant,
) -> Result<()> {
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let workload = workload(cluster, name).await?;
    await_ready(cluster, &workload, workload.replicas, limit).await.map_err(|unready| {
        let advice = match name {
            MASTER | WORKER => "look at it with: kubectl describe pods -l app=locust",
            _ => "look at it with: kubectl describe pods -l app=inference",
        };
        let message = format!("deployment {}/{name}: {unready}", cluster.namespace);
        match unready {
            Unready::Refused(error) => error,
            Unready::Broken(_) | Unready::Unplaced(_) => Error::preflight(message).next(advice),
            Unready::TimedOut(_) => Error::cluster(message).next(advice),
        }
    })?;
    events.tell(Event::phase(format!("{name}: {} ready", workload.replicas), begun.elapsed()));
    Ok(())
}
