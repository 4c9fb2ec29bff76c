//! The `locust-matrix` command.

#[path = "main/console.rs"]
mod console_output;

use std::io::Write;
use std::sync::Arc;

use clap::Parser;
use console_output::Console;
use locust_matrix::cli::{Cli, Command};
use locust_matrix::commands;
use locust_matrix::events::{Events, Progress};
use locust_matrix::exit::{Error, ExitCode, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> std::process::ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "error: {}", bug(&panic.to_string()));
        std::process::exit(ExitCode::Bug as i32);
    }));
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // Off unless RUST_LOG asks for it: libraries log errors that this program handles by trying again, and
        // it explains final ones itself.
        .with_env_filter(
            EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).from_env_lossy(),
        )
        .init();
    // Two libraries could each choose a TLS provider; this sets the one that both use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime
        .map_err(|error| Error::new(ExitCode::Bug, format!("the runtime does not start: {error}")))
        .and_then(|runtime| runtime.block_on(dispatch(&cli)));
    match ended {
        Ok(code) => code.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.code.into()
        }
    }
}

/// The message for a panic, which is always a bug of this program.
fn bug(panic: &str) -> Error {
    let details = panic.split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(ExitCode::Bug, format!("locust-matrix has a bug: {details}"))
        .next("please report it; the records are kept, and the Job or --resume continues from them")
}

async fn dispatch(cli: &Cli) -> Result<ExitCode> {
    let is_run = matches!(cli.command, Command::Run(_) | Command::Job(_));
    let console = Arc::new(Console::open(cli.json_events, is_run && !cli.plain));
    let ended = command(cli, &console).await;
    console.close(ended.as_ref().err().map(|error| format!("error: {error}")).as_deref());
    ended
}

async fn command(cli: &Cli, console: &Arc<Console>) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    // The view of a Job is made from the events of its pod.
    let json = cli.json_events || console.is_live();
    let printer = console.clone();
    let events = Events::to(move |event: Progress| printer.event(&event));
    let log = |line: &str| console.log_line(line);
    match &cli.command {
        Command::Plan(arguments) => commands::plan::run(&cli.cluster, arguments, &mut out).await,
        Command::Deploy(arguments) => commands::deploy::run(&cli.cluster, arguments, &events, &mut out).await,
        Command::Job(arguments) => {
            commands::job::run(&cli.cluster, arguments, json, &events, &mut out, &log).await
        }
        // Boxed, because it is large, and every other command would need as much.
        Command::Run(arguments) => Box::pin(commands::run::run(&cli.cluster, arguments, &events)).await,
        Command::Fetch(arguments) => commands::fetch::run(&cli.cluster, arguments, &events, &mut out).await,
        Command::Report(arguments) => commands::report::run(arguments, &events, &mut out),
        Command::Cleanup(arguments) => {
            commands::cleanup::run(&cli.cluster, arguments, &events, &mut out).await
        }
        Command::Completions(arguments) => Ok(commands::completions::run::<Cli>(arguments, &mut out)),
    }
}
