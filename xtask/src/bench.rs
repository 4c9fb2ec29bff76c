//! `cargo xtask bench`: what the harness itself costs, as ratios within one run.

mod overhead;
mod records;
mod startup;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::e2e::cluster;
use crate::e2e::state::State;
use crate::e2e::{choice, preflight};
use crate::engine::Engine;
use crate::failure::{CLUSTER, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, Show};
use crate::run::halt::{Halt, Patience};
use crate::toolchain;
use crate::versions::Versions;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Time per scenario that is neither ramp nor window nor cooldown
    Overhead(overhead::Args),
    /// Time from nothing to the first request, beside that of `kind create cluster --wait` alone
    Startup(startup::Args),
}

/// The cluster that is made for it, and goes with it.
const NAME: &str = "locust-matrix-bench";

pub(crate) async fn run(args: Args, halt: Arc<Halt>) -> Result<(), Failure> {
    let stage = Stage::set(halt).await?;
    let ended = match &args.bench {
        Bench::Overhead(args) => overhead::run(&stage, args).await,
        Bench::Startup(args) => startup::run(&stage, args).await,
    };
    ended.and(stage.clear().await)
}

/// What both need: this machine's kind, a node image, the images built, a folder.
struct Stage {
    session: Session,
    folders: Folders,
    engine: Engine,
    node_image: String,
    folder: PathBuf,
}

impl Stage {
    async fn set(halt: Arc<Halt>) -> Result<Self, Failure> {
        let folders = Folders::find()?;
        let folder = folders.target.join("xtask-bench");
        folders::create(&folder)?;
        let session = Session::open(halt, &folder.join("commands.log"), false)?;
        let kind = choice::find(&session).await?;
        let versions = Versions::read()?;
        let named = std::env::var("KIND_NODE_IMAGE").ok();
        let node = session.race(preflight::node_image(&session, &kind, &versions, named.as_deref())).await?;
        let build = toolchain::build(&session, &folders);
        session.step("build the driver and the stub", build).await?;
        Ok(Self { session, folders, engine: kind.engine, node_image: node.reference, folder })
    }

    /// `cargo xtask e2e`, the way a user starts it; the records it brings home.
    async fn e2e(&self, results: &Path, matrix: &Path, keep: bool) -> Result<records::Run, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::bug(format!("this program: {error}")))?;
        let started = jiff::Timestamp::now();
        let done = Cmd::new(own.display().to_string())
            .args(["e2e", "--cluster", "kind", "--name", NAME, "--node-image", &self.node_image])
            .arg("--config")
            .path(matrix)
            .arg("--results")
            .path(results)
            .args(keep.then_some("--keep"))
            .show(Show::Errors)
            .patience(Patience::Forward(std::time::Duration::from_mins(2)))
            .run(&self.session)
            .await?;
        let done = done.require(&self.session, CLUSTER, "read what it says above")?;
        let run = done.stdout.lines().last().map(PathBuf::from);
        let run = run.ok_or_else(|| Failure::bug("`xtask e2e`: does not say where the results are"))?;
        records::Run::read(started, &run.join("results.jsonl"))
    }

    /// A settings file for a matrix.
    fn matrix(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        folders::write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Deletes the cluster, if it is still there.
    async fn clear(&self) -> Result<(), Failure> {
        let folder = self.folders.cluster(NAME);
        match State::read(&folder)? {
            Some(state) => cluster::delete(&self.session, &self.engine, &folder, &state, true).await,
            None => Ok(()),
        }
    }
}

/// The middle one; the mean of the two in the middle of an even number.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
