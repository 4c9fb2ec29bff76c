//! `locust-matrix completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::exit::ExitCode;

/// Arguments of `completions`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The shell that the script is for
    shell: Shell,
}

/// Writes the completion script to `out`.
pub fn run<C: CommandFactory>(arguments: &Arguments, out: &mut dyn std::io::Write) -> ExitCode {
    // clap_complete would panic if the reader had closed the pipe.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut C::command(), "locust-matrix", &mut script);
    let _ = out.write_all(&script);
    ExitCode::Success
}
