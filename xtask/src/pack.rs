//! `cargo xtask image`: packs a program as an image, as `cargo xtask e2e` does. The flake calls it.

use std::io::Write as _;
use std::path::PathBuf;

use crate::failure::{Failure, USAGE};
use crate::folders;
use crate::{image, toolchain};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Name of the image; its tag is the beginning of its ID
    #[arg(long)]
    name: String,
    /// A program that needs no shared libraries
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Where to write the archive, for `docker load`
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

const HELP: &str = "\
The image has this program, an empty /tmp and an unprivileged user. The same program gives the
same image on every machine. stdout has its name and tag.

Example:
  cargo xtask image --name locust-driver --program target/x86_64-unknown-linux-gnu/release/locust-matrix \\
      --output locust-driver.tar";

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let bytes = std::fs::read(&args.program).map_err(|error| Failure::file(&args.program, "read", &error))?;
    if needs_shared_libraries(&bytes) {
        return Err(Failure::new(
            USAGE,
            format!("{}: needs shared libraries, which the image does not have", args.program.display()),
            "build it with RUSTFLAGS='-C target-feature=+crt-static' and --target",
        ));
    }
    let program = args.program.file_name().unwrap_or_default().to_string_lossy();
    let archive = image::pack(&args.name, &program, &bytes, toolchain::image_architecture())
        .map_err(|error| Failure::bug(format!("{}: packing: {error}", args.name)))?;
    folders::write(&args.output, &archive.bytes)?;
    let _ = writeln!(std::io::stdout(), "{}", archive.reference);
    Ok(())
}

/// Whether an ELF file names an interpreter, which loads the shared libraries.
fn needs_shared_libraries(bytes: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let short = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
    let kinds = || {
        let (start, size, count) = (usize::try_from(number(32)?).ok()?, short(54)?, short(56)?);
        let entries = (0..usize::from(count)).map(|entry| start + entry * usize::from(size));
        let kinds = entries.filter_map(|at| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes));
        Some(kinds.collect::<Vec<_>>())
    };
    bytes.starts_with(b"\x7fELF") && kinds().is_some_and(|kinds| kinds.contains(&INTERPRETER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_shared_libraries_is_refused() {
        // This test's own program is an ordinary one.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(needs_shared_libraries(&own));
        assert!(!needs_shared_libraries(b"#!/bin/sh\n"));
        assert!(!needs_shared_libraries(b"\x7fELF"));
    }
}
