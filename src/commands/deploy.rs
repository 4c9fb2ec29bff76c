//! `locust-matrix deploy`: applies the manifests and waits until everything is ready.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterFlags, Patience, Unready, await_ready, last_words, read_workload};
use crate::config::{MatrixFlags, Settings, Span, WorkloadName};
use crate::deploy::{
    Approved, Image, Overlay, Scripts, allow_scaling, apply, approve, diff, objects, refuse_foreign,
};
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
    /// Your own locustfile instead of the one in the manifests, or a folder with a locustfile.py, whose modules and
    /// data are shipped with it
    #[arg(long, value_name = "FILE|FOLDER")]
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
    let (mut objects, note) = arguments.manifests.objects_and_note()?;
    if let Some(note) = note {
        events.tell(Progress::note(note));
    }
    if arguments.config.is_some() {
        let matrix = MatrixFlags { config: arguments.config.clone(), ..MatrixFlags::default() };
        let settings = Settings::from_flags(&matrix)?;
        allow_scaling(&mut objects, &settings.inference.target(), settings.pause_autoscaler);
    }
    if arguments.print {
        let _ = writeln!(out, "{}", serde_json::to_string_pretty(&objects).unwrap_or_default());
        return Ok(ExitCode::Success);
    }
    let cluster = Cluster::connect(flags, events).await?;
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
    /// Exit code 2: the locustfile cannot be read, or is larger than a ConfigMap may be.
    pub fn objects(&self) -> Result<Vec<Value>> {
        self.objects_and_note().map(|(objects, _)| objects)
    }

    /// The same, with what the locustfile needs and would not have.
    fn objects_and_note(&self) -> Result<(Vec<Value>, Option<String>)> {
        let scripts = self.locustfile.as_deref().map(Scripts::read).transpose()?;
        let note = scripts.as_ref().and_then(Scripts::note);
        Ok((objects(self.overlay, &self.images, scripts.as_ref())?, note))
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

/// How long pods may find no node: longer than an autoscaler of nodes takes to say that one comes.
const PLACED_WITHIN: Duration = Duration::from_secs(15);

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
    let patience = Patience { ready: limit, place: PLACED_WITHIN, had_load: false };
    if let Err(unready) = await_ready(cluster, &workload, workload.replicas, patience, None, &tell).await {
        let pods = if matches!(name, MASTER | WORKERS) { LOAD_PODS } else { STUB_PODS };
        let advice = match &unready {
            // There is no pod to look at.
            Unready::Unplaced(problem) if problem.contains("is forbidden") => {
                format!(
                    "change what the refusal names in a copy of the manifests (kubectl apply -k), or ask the namespace's owners; \
                     the cluster tries again by itself, and at once after: kubectl rollout restart deployment/{name}"
                )
            }
            _ => format!("look at it with: kubectl describe pods -l {pods}"),
        };
        let message = unready.describe(&format!("deployment {}/{name}", cluster.namespace));
        // The reason of a crash stands in the log of the container that is gone, and nowhere else.
        let said = match &unready {
            Unready::Broken(_) | Unready::TimedOut(_) => last_words(cluster, &workload.selector).await,
            _ => None,
        };
        let (message, advice) = match said {
            Some(said) => {
                if said.lines.len() > 1 {
                    let lines = said.lines.join("\n    ");
                    events.tell(Progress::note(format!("the last lines of pod {}:\n    {lines}", said.pod)));
                }
                let is_told = message.contains(said.last_line());
                let message = if is_told {
                    message
                } else {
                    format!("{message}; its last line was: {}", said.last_line())
                };
                (message, said.next_step())
            }
            None => (message, advice),
        };
        if !matches!(unready, Unready::Refused(_)) {
            let left = "what was applied stays there: deploy again, or remove it with: locust-matrix cleanup";
            events.tell(Progress::note(left));
        }
        return Err(match unready {
            Unready::Refused(error) => error,
            Unready::Broken(_) | Unready::AsBefore(_) | Unready::Unplaced(_) => {
                Error::preflight(message).next(advice)
            }
            Unready::Away(_) | Unready::Rescaled { .. } | Unready::TimedOut(_) => {
                Error::cluster(message).next(advice)
            }
        });
    }
    events.tell(Progress::phase(format!("{name}: {} ready", workload.replicas), started.elapsed()));
    Ok(())
}
