//! Decides whether this machine can run a tier, and runs it.

use std::path::PathBuf;
use std::time::Duration;

use super::args::{Args, Tier};
use super::summary::Ran;
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

/// How long an interrupted test may take to delete its cluster.
const STOPS_WITHIN: Duration = Duration::from_mins(2);

/// Tests that take minutes show their output while they run.
const SHOWN: &str = "--nocapture";

/// The modules of the embedded tier's tests that measure.
const MEASURED: &str = "measured::";

/// What the tiers need: each is there, or the reason why not.
#[derive(Debug)]
pub(super) struct Machine {
    locust: Result<LocustImage, String>,
    node_image: Result<String, String>,
    python: Result<(), String>,
    /// The static programs for the images, once they are built.
    pub(super) images: Option<Result<Binaries, Failure>>,
    /// The path from which this program was started. The workspace's tests build it again, and after that, the
    /// system has no path for the file that runs.
    xtask: PathBuf,
}

impl Default for Machine {
    fn default() -> Self {
        let xtask = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
        Self {
            locust: Err("not examined".into()),
            node_image: Err("not examined".into()),
            python: Err("not examined".into()),
            images: None,
            xtask,
        }
    }
}

impl Machine {
    pub(super) async fn examine(session: &Session, args: &Args) -> Self {
        let python = embedded::check_machine(session).await.map_err(|failure| failure.what);
        let mut machine = Self { python, ..Self::default() };
        if args.only.is_some_and(Tier::without_docker) {
            return machine;
        }
        if let Err(failure) = machine.fill(session, args).await {
            machine.node_image = Err(failure.what);
        }
        machine
    }

    /// Fetches the images, too, so that a tier does not lack one after it has begun.
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

    /// Returns why this machine cannot run this tier; `None` if it can.
    pub(super) fn cannot(&self, tier: Tier) -> Option<String> {
        match tier {
            Tier::Workspace | Tier::Fuzz => None,
            Tier::Container => self.locust.as_ref().err().cloned(),
            Tier::Embedded | Tier::Faults | Tier::Soak => self.python.as_ref().err().cloned(),
            Tier::Kind => {
                let node = self.node_image.as_ref().err();
                node.or(self.locust.as_ref().err()).cloned()
            }
        }
    }
}

/// The tests of a tier that a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Those that do not measure, so that a build may run beside them. Only the embedded tier has parts.
    Unmeasured,
    /// The faults of the embedded tier that do not measure.
    Faults,
    Measured,
}

/// Runs a tier, or a part of it. With `reuse`, the embedded tier's commands use the programs that the workspace's
/// tests have built; the kind tier then runs those commands' own build.
pub(super) async fn run(
    session: &Session,
    folders: &Folders,
    machine: &mut Machine,
    tier: Tier,
    part: Part,
    reuse: bool,
) -> Result<Ran, Failure> {
    let binaries = match programs(session, folders, machine, tier).await {
        Ok(binaries) => binaries,
        Err(failure) if failure.is_interruption() => return Err(failure),
        Err(failure) => {
            // The tiers that ran before this one still get their summary.
            failure.report();
            return Ok(Ran::default());
        }
    };
    let mut test = command(tier, part)
        .folder(&folders.root)
        .show(ShowOutput::All)
        .stop_policy(StopPolicy::AllowTime(STOPS_WITHIN));
    if let Some(binaries) = binaries {
        test = with_variables(test, folders, machine, tier, &binaries);
    }
    if reuse && tier == Tier::Embedded {
        test = test.env(toolchain::PROGRAMS, folders.target.join("debug").display().to_string());
    }
    if reuse && tier == Tier::Kind {
        test = test.env("E2E_EMBEDDED_BUILD", "1");
    }
    let name = match part {
        Part::Whole => format!("tier {}", tier.name()),
        Part::Unmeasured => format!("tier {}, what does not measure", tier.name()),
        Part::Faults => format!("tier {}, faults", tier.name()),
        Part::Measured => format!("tier {}, what measures", tier.name()),
    };
    let step = session.progress.begin(&name);
    let done = test.run(session).await;
    session.progress.end(step, done.as_ref().is_ok_and(Finished::success));
    let done = done?;
    if done.stopped() {
        return Err(session.stop.failure());
    }
    Ok(Ran::read(&done.stdout, &done.stderr, done.success()))
}

/// Each names the whole workspace. Cargo compiles a library with the features that the named packages ask for,
/// so another selection would compile it again.
fn command(tier: Tier, part: Part) -> Cmd {
    let test = Cmd::new("cargo").args(["test", "--workspace"]);
    match tier {
        // In one stream, because only standard error names the binaries to which the results belong.
        Tier::Workspace => Cmd::new("sh").args(["-c", "exec cargo test --workspace --no-fail-fast 2>&1"]),
        // In the container and embedded tiers, the tests themselves decide which of them run side by side.
        Tier::Container => test.args(["--test", "container", "--", "--test-threads=12"]),
        // The test of the faults runs some of them here.
        Tier::Embedded => {
            let binaries: &[&str] = match part {
                Part::Whole | Part::Measured => &["--no-fail-fast", "--test", "embedded", "--test", "faults"],
                Part::Unmeasured => &["--test", "embedded"],
                Part::Faults => &["--test", "faults"],
            };
            let test = test.args(binaries.iter().copied()).args(["--", "--test-threads=8", SHOWN]);
            match part {
                Part::Whole => test,
                Part::Unmeasured | Part::Faults => test.args(["--skip", MEASURED]),
                Part::Measured => test.arg(MEASURED),
            }
        }
        Tier::Kind => test.args(["--test", "kind", "--", "--test-threads=1", SHOWN]),
        Tier::Faults => {
            // What they start fills the machine.
            let mut test = test.args(["--test", "faults", "--", "--test-threads=1", SHOWN]);
            for (count, default) in [
                ("FAULTS_COUNT", "120"),
                ("FAULTS_KIND_COUNT", "24"),
                ("INTERRUPTS_COUNT", "30"),
                ("INTERRUPTS_KIND_COUNT", "6"),
            ] {
                test = test.env(count, variable_or(count, default));
            }
            test
        }
        Tier::Soak => test.args(["--test", "soak", "--", SHOWN]),
        // Every test of this kind has this word in its name. Two run at a time, as on two processors.
        Tier::Fuzz => test
            .args(["--no-fail-fast", "--test", "fuzz", "--test", "api"])
            .args(["--", "--test-threads=2", "fuzz_", SHOWN])
            .env("FUZZ_SECONDS", variable_or("FUZZ_SECONDS", "900")),
    }
}

/// The value of this variable if the caller has set it.
fn variable_or(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Builds the programs that a tier's tests start: static ones for images, ordinary ones for the embedded cluster.
async fn programs(
    session: &Session,
    folders: &Folders,
    machine: &mut Machine,
    tier: Tier,
) -> Result<Option<Binaries>, Failure> {
    match tier {
        Tier::Workspace | Tier::Fuzz => Ok(None),
        Tier::Embedded | Tier::Faults | Tier::Soak => {
            let build = toolchain::build_for_tests(session, folders);
            let binaries = session.step("build the cluster, the driver and the stub", build).await?;
            if tier != Tier::Soak {
                return Ok(Some(binaries));
            }
            // The memory that counts is that of the driver which users get.
            let build = toolchain::build(session, folders);
            session.step("build the driver and the stub as they are released", build).await.map(Some)
        }
        Tier::Container | Tier::Kind => match machine.images.take() {
            // Its failure is reported once, and the next tier tries again.
            Some(Err(failure)) => Err(failure),
            Some(Ok(binaries)) => {
                machine.images = Some(Ok(binaries.clone()));
                Ok(Some(binaries))
            }
            None => {
                let build = toolchain::build(session, folders);
                let binaries = session.step("build the driver and the stub", build).await?;
                machine.images = Some(Ok(binaries.clone()));
                Ok(Some(binaries))
            }
        },
    }
}

/// Sets the variables that the tests of a tier read.
fn with_variables(
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
    if tier == Tier::Faults {
        test = match machine.cannot(Tier::Kind) {
            Some(reason) => test.env("E2E_NO_KIND", format!("this machine cannot run kind: {reason}")),
            None => test.env("E2E_NODE_IMAGE", machine.node_image.as_deref().unwrap_or_default()),
        };
    }
    if tier.on_embedded() {
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
