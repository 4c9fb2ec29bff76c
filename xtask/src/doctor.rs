//! `cargo xtask doctor`: what is installed, what is missing, and how to install it.

mod checks;
mod table;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::e2e::args::ImageFlags;
use crate::failure::{Failure, PREFLIGHT};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::stop::StopRequests;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    images: ImageFlags,
}

const HELP: &str = "\
✓ found, ✗ missing and needed by `cargo xtask e2e`, – missing but optional.

Exit codes: 0 `cargo xtask e2e` can run here, 3 something that it needs is missing,
130 interrupted.";

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let scratch: PathBuf = folders.target.join("xtask-doctor");
    let session = Session::open(stop, &scratch.join("commands.log"), false)?;
    let rows = checks::run_all(&session, &folders, &scratch, &args.images).await?;
    let _ = std::io::stdout().write_all(table::render(&rows).as_bytes());
    if table::can_run(&rows) {
        return Ok(());
    }
    // The table has the message and the next steps already.
    Err(Failure::silent(PREFLIGHT))
}
