//! `--cluster embedded`: runs the matrix with pods that are local processes, for a machine without Docker.

pub(crate) mod cache;
mod process;
mod python;

use std::path::PathBuf;
use std::time::Duration;

use super::args::Args;
use super::driver::{Driver, Plan, Target};
use super::images::ImageNames;
use super::summary::Summary;
use super::{evidence, matrix, summary};
use crate::failure::{Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::image;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::toolchain;
use crate::versions::Versions;
use process::Cluster;

/// What the checks before the run have found.
struct Findings {
    results: PathBuf,
    /// The name of Locust's image in the manifests.
    locust: String,
}

pub(super) async fn run(session: &Session, folders: &Folders, args: &Args) -> Result<(), Failure> {
    let signal_messages = summary::announce_signals(session);
    let mut cluster = None;
    let mut summary = Summary::default();
    let performed = perform(session, folders, args, &mut cluster, &mut summary).await;
    let cleaned = match cluster {
        Some(cluster) if args.keep => {
            cluster.keep(session);
            Ok(())
        }
        Some(cluster) => session.step("end the cluster", cluster.end()).await,
        None => Ok(()),
    };
    signal_messages.abort();
    summary.print(session, None, performed, cleaned)
}

async fn perform(
    session: &Session,
    folders: &Folders,
    args: &Args,
    started: &mut Option<Cluster>,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let findings = session.step("preflight", preflight(session, folders, args)).await?;
    // The cluster first, because it installs Locust while the driver and the stub are compiled.
    let program = session.step("build the cluster", toolchain::build_cluster(session, folders)).await?;
    let locust = session.stopping_others(async {
        let pull = Cmd::new(program.display().to_string())
            .args(["--pull", &findings.locust])
            .show(ShowOutput::Indented);
        let pulled = pull.deadline(Duration::from_mins(10)).run(session).await?;
        pulled
            .require_success(session, PREFLIGHT, "provide what the message above names, and run it again")
            .map(drop)
    });
    let build = session.stopping_others(toolchain::build_local(session, folders));
    let (locust, built) = tokio::join!(
        session.step("install Locust", locust),
        session.step("build the driver and the stub", build),
    );
    let ((), binaries) = Failure::both(locust, built)?;
    let image_names = ImageNames {
        driver: image_name("locust-driver", &binaries.driver).await?,
        stub: Some(image_name("fake-inference", &binaries.stub).await?),
        locust: Some(findings.locust.clone()),
    };
    let folder = folders.cluster(&args.name);
    let start = Cluster::start(session, &program, &folder, &binaries, args.keep);
    let cluster = started.insert(session.step("start the cluster", start).await?);
    let flags = vec!["--kubeconfig".to_owned(), cluster.kubeconfig().display().to_string()];
    let target = Target { flags, overlay: "kind", kind: "embedded", load_foreign_service: false };
    let driver = Driver::new(binaries.driver.clone(), target, args);
    let planned = driver.plan(session).await?;
    let ended = deploy_and_run(session, &driver, &image_names, &findings, &planned, summary).await;
    if let Err(failure) = &ended
        && failure.needs_evidence()
    {
        let folder = summary.results.clone().unwrap_or_else(|| findings.results.join(&args.name));
        summary.evidence = cluster.keep_logs(&folder.join(evidence::FOLDER));
    }
    ended
}

async fn deploy_and_run(
    session: &Session,
    driver: &Driver,
    image_names: &ImageNames,
    findings: &Findings,
    planned: &Plan,
    summary: &mut Summary,
) -> Result<(), Failure> {
    session.step("deploy", driver.deploy(session, image_names)).await?;
    matrix::run(session, driver, image_names, &findings.results, summary).await.ended?;
    matrix::check_complete(summary, planned)
}

/// Checks that this machine can run the embedded cluster.
pub(crate) async fn check_machine(session: &Session) -> Result<(), Failure> {
    if std::env::consts::OS != "linux" {
        return Err(Failure::preflight(
            format!(
                "{}: the embedded cluster needs Linux, where each pod can have its own loopback address",
                std::env::consts::OS
            ),
            "use --cluster kind, with Docker and kind installed",
        ));
    }
    cache::check()?;
    python::check(session).await
}

/// Checks whether something is missing, before minutes of compiling.
async fn preflight(session: &Session, folders: &Folders, args: &Args) -> Result<Findings, Failure> {
    check_machine(session).await?;
    let results = args.results(folders)?;
    folders::create(&results)?;
    let versions = Versions::read()?;
    let locust = args.images.locust_image.clone().unwrap_or_else(|| versions.locust_image());
    Ok(Findings { results, locust })
}

/// The image name of a program. Its tag is the program's hash, so that the records tell which build has run.
async fn image_name(name: &'static str, program: &std::path::Path) -> Result<String, Failure> {
    let path = program.to_path_buf();
    // On a thread of its own, because hashing megabytes would block the other tasks.
    let hash = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(&path).map_err(|error| Failure::file(&path, "read", &error))?;
        Ok(image::sha256_hex(&bytes))
    });
    let hash = hash.await.map_err(|error| Failure::bug(format!("{name}: hashing: {error}")))??;
    // 12 digits, as for the images in kind.
    Ok(format!("{name}:{hash:.12}"))
}
