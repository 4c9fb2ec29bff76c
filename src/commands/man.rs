//! `locust-matrix man`: the man pages.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::exit::{Error, ExitCode, Result};

/// Arguments of `man`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The folder that the pages are written to; it is created
    folder: PathBuf,
}

/// Writes a page for the program and one for each subcommand.
pub fn run<C: CommandFactory>(arguments: &Arguments) -> Result<ExitCode> {
    let folder = &arguments.folder;
    let failure = |error: std::io::Error| {
        Error::new(ExitCode::Preflight, format!("{}: cannot write the man pages: {error}", folder.display()))
            .next("name a folder that you may write to")
    };
    std::fs::create_dir_all(folder).map_err(failure)?;
    clap_mangen::generate_to(C::command(), folder).map_err(failure)?;
    Ok(ExitCode::Success)
}
