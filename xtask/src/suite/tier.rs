//! One tier: whether this machine can run it, and running it.

use std::path::PathBuf;
use std::time::Duration;

use super::summary::{Counts, Outcome};
use super::{Args, Tier};
use crate::e2e::choice;
use crate::e2e::embedded;
use crate::e2e::image_choice::{self, LocustImage};
use crate::e2e::images;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::{Cmd, Finished, ShowOutput};
use crate::run::stop::StopPolicy;
use crate::toolchain::{self, Binaries};
use crate::versions::Versions;

/// A test that drives a cluster deletes it when it is interrupted.
const STOPS_WITHIN: Duration = Duration::from_mins(2);

const ALOUD: [&str; 2] = ["--test-threads=1", "--nocapture"];

/// What this machine has, or why not.
#[derive(Debug)]
pub(super) struct Machine {
    locust: Result<LocustImage, String>,
    node_image: Result<String, String>,
    python: Result<(), String>,
    binaries: Option<Binaries>,
    /// This program, by the path it was started from: the tests of the workspace build it anew, and the
    /// path of a file that was replaced leads nowhere.
    xtask: PathBuf,
}

impl Default for Machine {
    fn default() -> Self {
        let xtask = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
        Self {
            locust: Err("not examined".into()),
            node_image: Err("not examined".into()),
            python: Err("not examined".into()),
            binaries: None,
            xtask,
        }
    }
}

impl Machine {
    pub(super) async fn examine(session: &Session, args: &Args) -> Self {
        let python = embedded::check_machine(session).await.map_err(|failure| failure.what);
        let mut machine = Self { python, ..Self::default() };
        if args.only == Some(Tier::Embedded) {
            return machine;
        }
        if let Err(failure) = machine.fill(session, args).await {
            machine.node_image = Err(failure.what);
        }
        machine
    }

    /// The images are fetched here, so that a tier that is begun has what it needs.
    async fn fill(&mut self, session: &Session, args: &Args) -> Result<(), Failure> {
        let versions = Versions::read()?;
        toolchain::triple()?;
        match session.unless_stopped(Engine::connect(session)).await {
            Ok(engine) => {
                let named = args.locust_image.as_deref();
                let image = image_choice::locust_image(&engine, &versions, named);
                let image = session.unless_stopped(image).await;
                let image = match image {
                    Ok(image) => images::pull_if_missing(session, &image).await.map(|()| image),
                    Err(failure) => Err(failure),
                };
                self.locust = image.map_err(|failure| failure.what);
            }
            Err(failure) => self.locust = Err(failure.what),
        }
        if args.only == Some(Tier::Container) {
            return Ok(());
        }
        let kind = choice::find_kind(session).await?;
        let named = args.node_image.as_deref();
        let node = image_choice::node_image(session, &kind, &versions, named);
        let node = session.unless_stopped(node).await?;
        if !node.local {
            images::pull(session, &node.reference, &node.reference).await?;
        }
        self.node_image = Ok(node.reference);
        Ok(())
    }

    /// Why this machine cannot run this tier.
    pub(super) fn cannot(&self, tier: Tier) -> Option<String> {
        match tier {
            Tier::Workspace => None,
            Tier::Container => self.locust.as_ref().err().cloned(),
            Tier::Embedded => self.python.as_ref().err().cloned(),
            Tier::Kind => {
                let node = self.node_image.as_ref().err();
                node.or(self.locust.as_ref().err()).cloned()
            }
        }
    }
}

pub(super) async fn run(
    session: &Session,
    folders: &Folders,
    machine: &mut Machine,
    tier: Tier,
) -> Result<Outcome, Failure> {
    // Features are unified over what is named: with the whole workspace in all of them, no tier compiles anew
    // what another one has.
    let test = Cmd::new("cargo").args(["test", "--workspace"]);
    let test = match tier {
        Tier::Workspace => test.arg("--no-fail-fast"),
        Tier::Container => test.args(["--test", "container", "--", "--test-threads=8"]),
        // One after the other, and heard while they run: each takes minutes.
        Tier::Embedded => test.args(["--test", "embedded", "--"]).args(ALOUD),
        Tier::Kind => test.args(["--test", "kind", "--"]).args(ALOUD),
    };
    let mut test =
        test.folder(&folders.root).show(ShowOutput::All).stop_policy(StopPolicy::AllowTime(STOPS_WITHIN));
    match programs(session, folders, machine, tier).await {
        Ok(None) => {}
        Ok(Some(found)) => test = with_what_it_needs(test, folders, machine, tier, &found),
        Err(failure) if failure.is_interruption() => return Err(failure),
        Err(failure) => {
            // The tiers that ran before this one still deserve their summary.
            failure.report();
            return Ok(Outcome::Ran { counts: Counts::default(), well: false });
        }
    }
    let name = format!("tier {}", tier.name());
    let step = session.progress.begin(&name);
    let done = test.run(session).await;
    session.progress.end(step, done.as_ref().is_ok_and(Finished::success));
    let done = done?;
    if done.stopped() {
        return Err(session.stop.failure());
    }
    Ok(Outcome::Ran { counts: Counts::read(&done.stdout), well: done.success() })
}

/// The programs that a tier's tests start: for images, static ones; for the embedded cluster, this machine's.
async fn programs(
    session: &Session,
    folders: &Folders,
    machine: &mut Machine,
    tier: Tier,
) -> Result<Option<Binaries>, Failure> {
    match tier {
        Tier::Workspace => Ok(None),
        Tier::Embedded => {
            let build = embedded::build_programs(session, folders);
            session.step("build the cluster, the driver and the stub", build).await.map(Some)
        }
        Tier::Container | Tier::Kind => {
            if machine.binaries.is_none() {
                let build = toolchain::build(session, folders);
                machine.binaries = Some(session.step("build the driver and the stub", build).await?);
            }
            Ok(machine.binaries.clone())
        }
    }
}

fn with_what_it_needs(
    mut test: Cmd,
    folders: &Folders,
    machine: &Machine,
    tier: Tier,
    binaries: &Binaries,
) -> Cmd {
    test = test
        .env("E2E_TARGET", folders.target.display().to_string())
        .env("E2E_DRIVER", binaries.driver.display().to_string())
        .env("E2E_STUB", binaries.stub.display().to_string())
        .env("E2E_XTASK", machine.xtask.display().to_string());
    if tier == Tier::Embedded {
        return test.env("E2E_CLUSTER", toolchain::cluster(folders).display().to_string());
    }
    if let Ok(image) = &machine.locust {
        test = test.env("E2E_LOCUST_IMAGE", &image.reference);
    }
    if let (Tier::Kind, Ok(image)) = (tier, &machine.node_image) {
        test = test.env("E2E_NODE_IMAGE", image);
    }
    test
}
