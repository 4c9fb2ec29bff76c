//! Benchmarks that simulate services whose truth is known. They are examples of the driver, built with optimization.

use std::io::Write as _;
use std::sync::Arc;

use crate::failure::{BUG, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::StopRequests;

/// Runs an example of the driver with these arguments, and prints its output.
pub(super) async fn run(
    stop: Arc<StopRequests>,
    example: &str,
    arguments: impl IntoIterator<Item = String>,
) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let folder = folders.target.join("xtask-bench");
    folders::create(&folder)?;
    let session = Session::open(stop, &folder.join("commands.log"), false)?;
    let done = Cmd::new("cargo")
        .args(["run", "--release", "--locked", "-p", "locust-matrix", "--example", example, "--"])
        .args(arguments)
        .folder(&folders.root)
        .show(ShowOutput::Stderr)
        .run(&session)
        .await?;
    let done = done.require_success(&session, BUG, "read the message above")?;
    let _ = write!(std::io::stdout(), "{}", done.stdout);
    Ok(())
}
