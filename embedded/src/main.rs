//! The command `locust-matrix-cluster`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use embedded::args::Args;
use embedded::cluster;
use embedded::kubelet::{POD_MODE, WATCHDOG_MODE, become_pod, run_watchdog};

/// Exit code: a bug in this program.
const BUG: u8 = 1;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some(POD_MODE) => {
            let (code, problem) = become_pod(&words[2..]);
            let _ = writeln!(std::io::stderr(), "{problem}");
            return ExitCode::from(code);
        }
        Some(WATCHDOG_MODE) => {
            words.get(2).into_iter().for_each(|folder| run_watchdog(folder));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let args = Args::parse();
    // The release build cannot end its pods after a panic. Its watchdog does that.
    if cfg!(panic = "abort") {
        std::panic::set_hook(Box::new(|panic| {
            let _ = writeln!(std::io::stderr(), "error: {panic}; this is a bug in this program");
            std::process::exit(BUG.into());
        }));
    }
    // Two worker threads: while a task occupies one of them, the other tasks continue. Pods are started from
    // these threads and end with them, so they must live as long as the cluster (see
    // `kubelet::container::process`).
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(cluster::run(&args));
            // Do not wait for connections that clients keep open.
            runtime.shutdown_background();
            result
        }
        Err(error) => return fail(BUG, &format!("the asynchronous runtime does not start: {error}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(problem.exit_code(), &problem.to_string()),
    }
}

fn fail(code: u8, problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {problem}");
    ExitCode::from(code)
}
