//! `cargo xtask e2e`: creates a cluster, runs the matrix in it, fetches the results, and cleans up.

pub(crate) mod args;
pub(crate) mod choice;
pub(crate) mod cluster;
mod completeness;
mod dns;
mod driver;
pub(crate) mod embedded;
mod evidence;
mod existing;
pub(crate) mod image_choice;
pub(crate) mod images;
mod matrix;
mod node;
pub(crate) mod owner_mount;
mod preflight;
pub(crate) mod state;
mod summary;

use std::sync::Arc;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::folders::Folders;
use crate::orphan;
use crate::run::Session;
use crate::run::stop::StopRequests;
use crate::toolchain;
use args::{Args, ClusterKind};
use choice::Chosen;
use cluster::Cluster;
use driver::{Driver, Plan};
use images::ImageNames;
use node::Node;
use preflight::Findings;
use summary::Summary;

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    args.check()?;
    if args.cluster == ClusterKind::Existing {
        return existing::run(args, stop).await;
    }
    let folders = Folders::find()?;
    let folder = folders.cluster(&args.name);
    let _lock = state::lock(&folder, &args.name)?;
    let session = Session::open(stop, &folder.join("commands.log"), args.verbose)?;
    let chosen = choice::choose(&session, args.cluster).await?;
    for orphan in orphan::find(&folder) {
        session.progress.timed_line(&format!("{}: left by a run that was killed; ending it", orphan.name()));
        orphan::terminate(&orphan).await;
    }
    let kind = match chosen {
        Chosen::Kind(kind) => kind,
        Chosen::Embedded => return embedded::run(&session, &folders, &args).await,
    };
    let signal_messages = summary::announce_signals(&session);
    let findings = session.step("preflight", preflight::check(&session, &kind, &folders, &args)).await?;
    let mut run = Run {
        cluster: Cluster::new(&kind.engine, &folder, findings.new_state.clone(), findings.kept.clone()),
        node: Node::new(&args.name, &kind.engine, findings.kept.is_some()),
        engine: kind.engine,
        findings,
        summary: Summary::default(),
        session,
        folders,
        args,
    };
    let performed = run.perform().await;
    let cleaned = run.clean_up().await;
    signal_messages.abort();
    run.summary.print(&run.session, Some(&run.cluster), performed, cleaned)
}

struct Run {
    session: Session,
    folders: Folders,
    args: Args,
    engine: Engine,
    findings: Findings,
    cluster: Cluster,
    node: Node,
    summary: Summary,
}

impl Run {
    async fn perform(&mut self) -> Result<(), Failure> {
        let (driver, planned, image_names) = self.provision().await?;
        self.deploy(&driver, &image_names).await?;
        self.run_matrix(&driver, &image_names).await?;
        matrix::check_complete(&mut self.summary, &planned)
    }

    /// Prepares the cluster and the images at the same time, because neither needs the other until the end.
    async fn provision(&mut self) -> Result<(Driver, Plan, ImageNames), Failure> {
        let (session, node) = (&self.session, &self.node);
        let programs = async {
            let build = toolchain::build(session, &self.folders);
            let binaries = session.step("build the driver and the stub", build).await?;
            let program = binaries.driver.clone();
            let driver = Driver::new(program, self.cluster.target(), &self.args);
            let planned = driver.plan(session).await?;
            let pack = images::pack_own(session, &self.folders, &self.engine, &binaries);
            let own_images = session.step("pack the images", pack).await?;
            node.load(session, &own_images.driver).await?;
            node.load(session, &own_images.stub).await?;
            Ok((driver, planned, own_images))
        };
        let locust = async {
            let locust = images::locust_archive(session, &self.folders, &self.engine, &self.findings.locust);
            let locust = session.step("fetch the Locust image", locust).await?;
            node.load(session, &locust).await?;
            Ok(locust)
        };
        let images = async {
            let (programs, locust) =
                tokio::join!(session.stopping_others(programs), session.stopping_others(locust));
            Failure::both(programs, locust)
        };
        let (cluster, images) = tokio::join!(
            session.stopping_others(session.step(self.cluster.step_name(), self.cluster.provide(session))),
            session.stopping_others(images),
        );
        let ((), ((driver, planned, own_images), locust)) = Failure::both(cluster, images)?;
        self.node.load_remaining(&self.session).await?;
        Ok((driver, planned, ImageNames::new(own_images, locust)))
    }

    async fn deploy(&mut self, driver: &Driver, image_names: &ImageNames) -> Result<(), Failure> {
        let deploy = driver.deploy(&self.session, image_names);
        let deployed = self.session.step("deploy", deploy).await;
        if let Err(failure) = &deployed
            && !failure.is_interruption()
        {
            let folder = self.args.results(&self.folders)?.join(&self.args.name);
            self.summary.evidence = evidence::save(&self.session, &self.node, &folder).await;
        }
        deployed?;
        if self.findings.kept.is_some() {
            return Ok(());
        }
        self.session.step("wait for DNS", dns::wait(&self.session, &self.node)).await
    }

    /// Runs the matrix and fetches its results, also if it has failed.
    async fn run_matrix(&mut self, driver: &Driver, image_names: &ImageNames) -> Result<(), Failure> {
        let results = self.args.results(&self.folders)?;
        let job = matrix::run(&self.session, driver, image_names, &results, &mut self.summary).await;
        if let Err(failure) = &job.ended
            && failure.needs_evidence()
        {
            let folder = results.join(job.run_id.as_deref().unwrap_or(&self.args.name));
            self.summary.evidence = evidence::save(&self.session, &self.node, &folder).await;
        }
        job.ended
    }

    /// Deletes the cluster, also after a failure, unless the user wants to keep it.
    async fn clean_up(&mut self) -> Result<(), Failure> {
        if self.args.keep && self.cluster.is_up() {
            return self.cluster.keep();
        }
        if !self.cluster.is_begun() {
            return Ok(());
        }
        let session = &self.session;
        let remove = self.cluster.remove(session);
        session.step("delete the cluster", remove).await
    }
}
