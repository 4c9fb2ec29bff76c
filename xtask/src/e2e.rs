//! `cargo xtask e2e`: a cluster, the matrix in it, the results, and nothing left behind.

pub(crate) mod args;
mod check;
pub(crate) mod choice;
pub(crate) mod cluster;
mod driver;
pub(crate) mod embedded;
mod existing;
pub(crate) mod images;
pub(crate) mod mark;
mod node;
pub(crate) mod preflight;
pub(crate) mod state;
mod sweep;
mod verdict;
mod wreck;

use std::sync::Arc;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::folders::Folders;
use crate::orphan;
use crate::run::Session;
use crate::run::halt::Halt;
use crate::toolchain;
use args::{Args, ClusterKind};
use choice::Chosen;
use cluster::Cluster;
use driver::{Driver, Planned};
use images::Tags;
use node::Node;
use preflight::Ready;
use verdict::Verdict;

pub(crate) async fn run(args: Args, halt: Arc<Halt>) -> Result<(), Failure> {
    args.check()?;
    if args.cluster == ClusterKind::Existing {
        return existing::run(args, halt).await;
    }
    let folders = Folders::find()?;
    let folder = folders.cluster(&args.name);
    let _lock = state::lock(&folder, &args.name)?;
    let session = Session::open(halt, &folder.join("commands.log"), args.verbose)?;
    let chosen = choice::choose(&session, args.cluster).await?;
    for orphan in orphan::find(&folder) {
        session.progress.say(&format!("{}: left by a run that was killed; ending it", orphan.name()));
        orphan::end(&orphan).await;
    }
    let kind = match chosen {
        Chosen::Kind(kind) => kind,
        Chosen::Embedded => return embedded::run(&session, &folders, &args).await,
    };
    let speaker = verdict::announce_signals(&session);
    let ready = session.step("preflight", preflight::check(&session, &kind, &folders, &args)).await?;
    let mut run = Run {
        cluster: Cluster::new(&kind.engine, &ready, &folders, &args),
        node: Node::new(&args.name, &kind.engine, ready.kept.is_some()),
        engine: kind.engine,
        ready,
        verdict: Verdict::default(),
        session,
        folders,
        args,
    };
    let performed = run.perform().await;
    let cleaned = run.clean_up().await;
    speaker.abort();
    run.verdict.finish(&run.session, Some(&run.cluster), performed, cleaned)
}

struct Run {
    session: Session,
    folders: Folders,
    args: Args,
    engine: Engine,
    ready: Ready,
    cluster: Cluster,
    node: Node,
    verdict: Verdict,
}

impl Run {
    async fn perform(&mut self) -> Result<(), Failure> {
        let (driver, planned, tags) = self.provision().await?;
        self.deploy(&driver, &tags).await?;
        self.sweep(&driver, &tags).await?;
        sweep::complete(&mut self.verdict, &planned)
    }

    /// The cluster and the images, side by side: neither needs the other until the end.
    async fn provision(&mut self) -> Result<(Driver, Planned, Tags), Failure> {
        let (session, node) = (&self.session, &self.node);
        let programs = async {
            let build = toolchain::build(session, &self.folders);
            let binaries = session.step("build the driver and the stub", build).await?;
            let program = binaries.driver.clone();
            let driver = Driver::new(program, self.cluster.target(), &self.args);
            let planned = driver.plan(session).await?;
            let pack = images::own(session, &self.folders, &self.engine, &binaries);
            let own = session.step("pack the images", pack).await?;
            node.load(session, &own.driver).await?;
            node.load(session, &own.stub).await?;
            Ok((driver, planned, own))
        };
        let locust = async {
            let locust = images::obtain(session, &self.folders, &self.engine, &self.ready.locust);
            let locust = session.step("fetch the Locust image", locust).await?;
            node.load(session, &locust).await?;
            Ok(locust)
        };
        let images = async {
            let (programs, locust) = tokio::join!(session.lane(programs), session.lane(locust));
            Failure::first(programs, locust)
        };
        let (cluster, images) = tokio::join!(
            session.lane(session.step(self.cluster.what(), self.cluster.provide(session))),
            session.lane(images),
        );
        let ((), ((driver, planned, own), locust)) = Failure::first(cluster, images)?;
        self.node.load_late(&self.session).await?;
        Ok((driver, planned, Tags::new(own, locust)))
    }

    async fn deploy(&mut self, driver: &Driver, tags: &Tags) -> Result<(), Failure> {
        let deploy = driver.deploy(&self.session, tags);
        let deployed = self.session.step("deploy", deploy).await;
        if let Err(failure) = &deployed
            && !failure.is_interruption()
        {
            let folder = self.args.results(&self.folders)?.join(&self.args.name);
            self.verdict.wreck = wreck::keep(&self.session, &self.node, &folder).await;
        }
        deployed
    }

    /// The job, and its results whatever became of it.
    async fn sweep(&mut self, driver: &Driver, tags: &Tags) -> Result<(), Failure> {
        let results = self.args.results(&self.folders)?;
        let swept = sweep::sweep(&self.session, driver, tags, &results, &mut self.verdict).await;
        if let Err(failure) = &swept.ended
            && !failure.is_interruption()
        {
            let folder = results.join(swept.run_id.as_deref().unwrap_or(&self.args.name));
            self.verdict.wreck = wreck::keep(&self.session, &self.node, &folder).await;
        }
        swept.ended
    }

    /// Whatever has happened: nothing is left, unless the user wants to keep it.
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
