//! `--cluster embedded`: the same matrix with pods that are local processes, for a machine without Docker.

mod process;
mod python;

use std::path::PathBuf;
use std::time::Duration;

use super::args::Args;
use super::driver::{Driver, Planned, Target};
use super::images::Tags;
use super::verdict::Verdict;
use super::{sweep, verdict};
use crate::failure::{Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::image;
use crate::run::Session;
use crate::run::command::{Cmd, Show};
use crate::toolchain::{self, Binaries};
use crate::versions::Versions;
use process::Cluster;

/// What was found before anything is begun.
struct Ready {
    results: PathBuf,
    /// Locust's image, as the manifests get it.
    locust: String,
}

pub(super) async fn run(session: &Session, folders: &Folders, args: &Args) -> Result<(), Failure> {
    let speaker = verdict::announce_signals(session);
    let mut cluster = None;
    let mut verdict = Verdict::default();
    let performed = perform(session, folders, args, &mut cluster, &mut verdict).await;
    let cleaned = match cluster {
        Some(cluster) if args.keep => {
            cluster.keep(session);
            Ok(())
        }
        Some(cluster) => session.step("end the cluster", cluster.end()).await,
        None => Ok(()),
    };
    speaker.abort();
    verdict.finish(session, None, performed, cleaned)
}

async fn perform(
    session: &Session,
    folders: &Folders,
    args: &Args,
    kept: &mut Option<Cluster>,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let ready = session.step("preflight", preflight(session, folders, args)).await?;
    // First the cluster, so that Locust can be installed while the larger rest is compiled.
    let program = session.step("build the cluster", toolchain::build_cluster(session, folders)).await?;
    let locust = session.lane(async {
        let pull =
            Cmd::new(program.display().to_string()).args(["--pull", &ready.locust]).show(Show::Indented);
        let pulled = pull.deadline(Duration::from_mins(10)).run(session).await?;
        pulled.require(session, PREFLIGHT, "provide what is named above, and repeat it").map(drop)
    });
    let build = session.lane(toolchain::build_local(session, folders));
    let (locust, built) = tokio::join!(
        session.step("have Locust at hand", locust),
        session.step("build the driver and the stub", build),
    );
    let ((), binaries) = Failure::first(locust, built)?;
    let tags = Tags {
        driver: tag("locust-driver", &binaries.driver).await?,
        stub: Some(tag("fake-inference", &binaries.stub).await?),
        locust: Some(ready.locust.clone()),
    };
    let folder = folders.cluster(&args.name);
    let start = Cluster::start(session, &program, &folder, &binaries, args.keep);
    let cluster = kept.insert(session.step("start the cluster", start).await?);
    let flags = vec!["--kubeconfig".to_owned(), cluster.kubeconfig().display().to_string()];
    let target = Target { flags, overlay: "kind", kind: "embedded", yes: false };
    let driver = Driver::new(binaries.driver.clone(), target, args);
    let planned = driver.plan(session).await?;
    let swept = deploy_and_sweep(session, &driver, &tags, &ready, &planned, verdict).await;
    if let Err(failure) = &swept
        && !failure.is_interruption()
    {
        let beside = verdict.results.clone().unwrap_or_else(|| ready.results.join(&args.name));
        verdict.wreck = cluster.keep_logs(&beside.join("wreck"));
    }
    swept
}

async fn deploy_and_sweep(
    session: &Session,
    driver: &Driver,
    tags: &Tags,
    ready: &Ready,
    planned: &Planned,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    session.step("deploy", driver.deploy(session, tags)).await?;
    sweep::sweep(session, driver, tags, &ready.results, verdict).await.ended?;
    sweep::complete(verdict, planned)
}

/// Whether this machine can run it.
pub(crate) async fn possible(session: &Session) -> Result<(), Failure> {
    if std::env::consts::OS != "linux" {
        return Err(Failure::preflight(
            format!(
                "{}: the embedded cluster needs Linux, where every pod can have an address",
                std::env::consts::OS
            ),
            "use --cluster kind, with Docker and kind installed",
        ));
    }
    python::check(session).await
}

/// Everything that can be known to be missing before minutes of compiling.
async fn preflight(session: &Session, folders: &Folders, args: &Args) -> Result<Ready, Failure> {
    possible(session).await?;
    let results = args.results(folders)?;
    folders::create(&results)?;
    let versions = Versions::read()?;
    let locust = args.locust_image.clone().unwrap_or_else(|| versions.locust_image());
    Ok(Ready { results, locust })
}

/// The program's own hash is its image's tag: the records say what ran, and what is the same has the same name.
async fn tag(name: &'static str, program: &std::path::Path) -> Result<String, Failure> {
    let path = program.to_path_buf();
    // Hashing megabytes would hold up everything else that goes on.
    let hash = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(&path).map_err(|error| Failure::file(&path, "read", &error))?;
        Ok(image::hex(&bytes))
    });
    let hash = hash.await.map_err(|error| Failure::bug(format!("{name}: hashing: {error}")))??;
    // 12 digits, as the images for kind have.
    Ok(format!("{name}:{hash:.12}"))
}

/// The programs' names as the cluster is told.
fn images(binaries: &Binaries) -> Vec<String> {
    [("locust-driver", &binaries.driver), ("fake-inference", &binaries.stub)]
        .into_iter()
        .map(|(name, program)| format!("--image={name}={}", program.display()))
        .collect()
}
