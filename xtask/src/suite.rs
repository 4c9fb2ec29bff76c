//! `cargo xtask test`: runs every test that this machine can run, and names the tiers that it cannot run.

mod args;
mod failures;
mod summary;
mod tier;
mod times;

use std::io::Write as _;
use std::sync::Arc;

use crate::failure::{BUG, Failure, INTERRUPTED};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::stop::StopRequests;
use crate::toolchain;
pub(crate) use args::Args;
use args::Tier;
use summary::{Outcome, Row};
use tier::{Machine, Part};

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let log = folders.target.join("xtask-test").join("commands.log");
    let session = Session::open(stop, &log, false)?;
    let wanted = |tier: Tier| args.only.map_or(!tier.only_if_named(), |only| only == tier);
    let mut machine = Machine::default();
    if !matches!(args.only, Some(Tier::Workspace | Tier::Fuzz)) {
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
    let in_parts = runs(Tier::Embedded) && needs_images;
    let mut rows = Vec::new();
    let mut unmeasured = None;
    if wanted(Tier::Workspace) {
        // The images' programs are built beside tests that wait half of the time. Nothing is compiled beside the
        // other tests, because they measure.
        let images = async {
            if !needs_images {
                return None;
            }
            let build = toolchain::build_in_background(&session, &folders);
            Some(session.step("build the driver and the stub for images, beside the tests", build).await)
        };
        let tests = async {
            let mut none = Machine::default();
            let workspace =
                tier::run(&session, &folders, &mut none, Tier::Workspace, Part::Whole, false).await?;
            if !in_parts {
                return Ok::<_, Failure>((workspace, None));
            }
            let mut other = Machine::default();
            let (unmeasured, faults) = tokio::join!(
                tier::run(&session, &folders, &mut none, Tier::Embedded, Part::Unmeasured, reuse),
                tier::run(&session, &folders, &mut other, Tier::Embedded, Part::Faults, reuse),
            );
            Ok((workspace, Some(unmeasured?.and(faults?))))
        };
        let (images, tests) = tokio::join!(images, tests);
        machine.images = images;
        let (workspace, embedded) = tests?;
        rows.push(Row { tier: Tier::Workspace.name(), outcome: Outcome::Ran(workspace) });
        unmeasured = embedded;
    }
    for tier in [Tier::Container, Tier::Embedded, Tier::Kind, Tier::Faults, Tier::Soak, Tier::Fuzz] {
        if !wanted(tier) {
            continue;
        }
        let before = if tier == Tier::Embedded { unmeasured.take() } else { None };
        let part = if before.is_some() { Part::Measured } else { Part::Whole };
        let outcome = if let Some(reason) = machine.cannot(tier) {
            Outcome::Skipped(reason)
        } else {
            let ran = tier::run(&session, &folders, &mut machine, tier, part, reuse).await?;
            Outcome::Ran(match before {
                Some(before) => before.and(ran),
                None => ran,
            })
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
        0 if session.stop.signal_count() > 0 => Err(Failure::interrupted()),
        0 => Ok(()),
        // The summary has said it already.
        _ => Err(Failure::silent(if session.stop.signal_count() > 0 { INTERRUPTED } else { BUG })),
    }
}
