//! The `locust-matrix-cluster` command.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use embedded::args::Args;
use embedded::cluster;
use embedded::kubelet::{POD_MODE, WATCHDOG_MODE, become_pod, watch};

/// A bug in this program.
const BUG: u8 = 1;
/// Something is missing.
const MISSING: u8 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some(POD_MODE) => {
            let (code, problem) = become_pod(&words[2..]);
            let _ = writeln!(std::io::stderr(), "{problem}");
            return ExitCode::from(code);
        }
        Some(WATCHDOG_MODE) => {
            words.get(2).into_iter().for_each(|folder| watch(folder));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let args = Args::parse();
    // Two threads: one may hold a core for a moment without everybody waiting for it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(cluster::run(&args));
            // Nobody waits for connections that clients hold open.
            runtime.shutdown_background();
            ended
        }
        Err(error) => return say(BUG, &format!("the runtime does not start: {error}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => say(MISSING, &problem),
    }
}

fn say(code: u8, problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {problem}");
    ExitCode::from(code)
}
