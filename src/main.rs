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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // The help, the version, or a mistake: clap prints it.
        Err(answer) => {
            let printed = answer.print();
            let code = if answer.use_stderr() { ExitCode::Usage } else { ExitCode::Success };
            return printed.map_or_else(|error| unprinted(&error), |()| code).into();
        }
    };
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
    let mut out = Output { error: None };
    let ended = runtime
        .map_err(|error| Error::new(ExitCode::Bug, format!("the runtime does not start: {error}")))
        .and_then(|runtime| runtime.block_on(dispatch(&cli, &mut out)));
    let _ = out.flush();
    match ended {
        Ok(ExitCode::Success) => out.error.as_ref().map_or(ExitCode::Success, unprinted).into(),
        Ok(code) => code.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.code.into()
        }
    }
}

/// Output that could not be printed. Who closes a pipe, as `head` does, has read enough.
fn unprinted(error: &std::io::Error) -> ExitCode {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return ExitCode::Success;
    }
    let problem = Error::preflight(format!("the output could not be printed: {error}"));
    let _ =
        writeln!(std::io::stderr(), "error: {}", problem.next("free some space, or print to another place"));
    ExitCode::Preflight
}

/// Standard output that remembers its first error, so that the commands need not care.
struct Output {
    error: Option<std::io::Error>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = std::io::stdout().write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = std::io::stdout().flush();
        self.remember(flushed)
    }
}

impl Output {
    fn remember<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        if let Err(error) = &result {
            self.error.get_or_insert_with(|| std::io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

/// The message for a panic, which is always a bug of this program.
fn bug(panic: &str) -> Error {
    let details = panic.split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(ExitCode::Bug, format!("locust-matrix has a bug: {details}"))
        .next("please report it; the records are kept, and the Job or --resume continues from them")
}

async fn dispatch(cli: &Cli, out: &mut (dyn Write + Send)) -> Result<ExitCode> {
    let is_run = matches!(cli.command, Command::Run(_) | Command::Job(_));
    let console = Arc::new(Console::open(cli.json_events, is_run && !cli.plain));
    let ended = command(cli, &console, out).await;
    let ended = ended.map_err(|error| error.with_kubectl_flags(&cli.cluster.for_kubectl()));
    console.close(ended.as_ref().err().map(|error| format!("error: {error}")).as_deref());
    ended
}

async fn command(cli: &Cli, console: &Arc<Console>, out: &mut (dyn Write + Send)) -> Result<ExitCode> {
    // The view of a Job is made from the events of its pod.
    let json = cli.json_events || console.is_live();
    let printer = console.clone();
    let events = Events::to(move |event: Progress| printer.event(&event));
    let log = |line: &str| console.log_line(line);
    match &cli.command {
        Command::Plan(arguments) => {
            commands::or_interrupted(commands::plan::run(&cli.cluster, arguments, &events, out)).await
        }
        Command::Deploy(arguments) => {
            commands::or_interrupted(commands::deploy::run(&cli.cluster, arguments, &events, out)).await
        }
        // Boxed, because they are large, and every other command would need as much.
        Command::Job(arguments) => {
            Box::pin(commands::job::run(&cli.cluster, arguments, json, &events, out, &log)).await
        }
        Command::Run(arguments) => Box::pin(commands::run::run(&cli.cluster, arguments, &events)).await,
        Command::Fetch(arguments) => {
            commands::or_interrupted(commands::fetch::run(&cli.cluster, arguments, &events, out)).await
        }
        Command::Report(arguments) => commands::report::run(arguments, &events, out),
        Command::Cleanup(arguments) => {
            commands::or_interrupted(commands::cleanup::run(&cli.cluster, arguments, &events, out)).await
        }
        Command::Completions(arguments) => Ok(commands::completions::run::<Cli>(arguments, out)),
        Command::Man(arguments) => commands::man::run::<Cli>(arguments),
    }
}
