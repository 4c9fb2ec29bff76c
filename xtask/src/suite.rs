//! `cargo xtask test`: runs every test that this machine can run, and names the tiers that it cannot run.

mod summary;
mod tier;
mod times;

use std::io::Write as _;
use std::sync::Arc;

use clap::ValueEnum;

use crate::failure::{BUG, Failure, INTERRUPTED};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::halt::Halt;
use crate::toolchain;
use summary::{Outcome, Row};
use tier::Machine;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Fail (exit 3) if this machine cannot run this tier; without, the tier counts as skipped
    #[arg(long, value_enum, value_name = "TIER")]
    require: Vec<Tier>,
    /// Run only this tier
    #[arg(long, value_enum, value_name = "TIER")]
    only: Option<Tier>,
    /// Node image for the kind tier [default: the one in versions.toml for this kind]
    #[arg(long, value_name = "IMAGE", env = "KIND_NODE_IMAGE")]
    node_image: Option<String>,
    /// Image of Locust [default: locustio/locust of the version in versions.toml]
    #[arg(long, value_name = "IMAGE")]
    locust_image: Option<String>,
}

/// From the least powerful to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tier {
    /// Pure tests, tests with a mocked API, and tests of the command lines
    Workspace,
    /// Tests with containers: needs Docker
    Container,
    /// Tests with the embedded cluster: needs Linux, Python 3.11 or later and PyPI
    Embedded,
    /// Tests with a cluster: needs Docker, kind and a node image
    Kind,
}

const EXAMPLES: &str = "\
Examples:
  Everything that this machine can run:
      cargo xtask test

  In CI, where a missing tool must be a failure:
      cargo xtask test --require kind

  The tests that need nothing but Rust:
      cargo xtask test --only workspace

The last line is `N passed, N failed, N skipped`. Skipped tiers could not run; the lines
above it give the reasons, and the ten slowest tests with their times.";

pub(crate) async fn run(args: Args, halt: Arc<Halt>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let log = folders.target.join("xtask-test").join("commands.log");
    let session = Session::open(halt, &log, false)?;
    let wanted = |tier: Tier| args.only.is_none_or(|only| only == tier);
    let mut machine = Machine::default();
    if args.only != Some(Tier::Workspace) {
        machine = session
            .step("check what this machine can run", async { Ok(Machine::examine(&session, &args).await) })
            .await?;
    }
    for tier in &args.require {
        // Before the build, because without the tool it would be in vain.
        if wanted(*tier)
            && let Some(reason) = machine.cannot(*tier)
        {
            return Err(Failure::preflight(
                format!("--require {}: {reason}", tier.name()),
                "provide it, or leave --require out",
            ));
        }
    }
    let runs = |tier: Tier| wanted(tier) && machine.cannot(tier).is_none();
    let needs_images = runs(Tier::Container) || runs(Tier::Kind);
    let reuse = runs(Tier::Embedded) && runs(Tier::Kind);
    let mut rows = Vec::new();
    if wanted(Tier::Workspace) {
        // The images' programs are built beside these tests, which wait half of the time. Nothing is compiled
        // beside the other tiers, because they measure.
        let images = async {
            if !needs_images {
                return None;
            }
            let build = toolchain::build_in_background(&session, &folders);
            Some(session.step("build the driver and the stub for images, beside the tests", build).await)
        };
        let mut none = Machine::default();
        let tests = tier::run(&session, &folders, &mut none, Tier::Workspace, false);
        let (images, outcome) = tokio::join!(images, tests);
        machine.images = images;
        rows.push(Row { tier: Tier::Workspace.name(), outcome: outcome? });
    }
    for tier in [Tier::Container, Tier::Embedded, Tier::Kind] {
        if !wanted(tier) {
            continue;
        }
        let outcome = match machine.cannot(tier) {
            Some(reason) => Outcome::Skipped(reason),
            None => tier::run(&session, &folders, &mut machine, tier, reuse).await?,
        };
        rows.push(Row { tier: tier.name(), outcome });
    }
    conclude(&session, &rows, &log)
}

fn conclude(session: &Session, rows: &[Row], log: &std::path::Path) -> Result<(), Failure> {
    let failed = summary::failed(rows);
    let commands = format!("commands: {}", log.display());
    session.progress.line(&commands);
    let _ = std::io::stdout().write_all(summary::render(rows).as_bytes());
    match failed {
        0 if session.halt.signals() > 0 => Err(Failure::interrupted()),
        0 => Ok(()),
        // The summary has said it already.
        _ => Err(Failure::silent(if session.halt.signals() > 0 { INTERRUPTED } else { BUG })),
    }
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Container => "container",
            Self::Embedded => "embedded",
            Self::Kind => "kind",
        }
    }
}
