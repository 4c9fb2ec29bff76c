//! `fake-inference`: reads the flags and runs the server until a signal ends it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use fake_inference::args::{Args, EXIT_CANNOT_START, EXIT_OK};
use fake_inference::server::Server;

/// A line for people. A closed stderr must not end the server.
macro_rules! tell {
    ($($text:tt)*) => {
        let _ = writeln!(io::stderr(), $($text)*);
    };
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = args.check() {
        Args::command().error(ErrorKind::ValueValidation, error).exit();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&format!("cannot start its threads: {error}")),
    };
    let code = runtime.block_on(run(&args));
    // Services whose clients have gone may still hold slots. Do not wait for them.
    runtime.shutdown_background();
    code
}

async fn run(args: &Args) -> ExitCode {
    // Before the socket is opened, so that no signal is missed once the server can be reached.
    let stop = match signals() {
        Ok(stop) => stop,
        Err(error) => return cannot_start(&format!("cannot listen for signals: {error}")),
    };
    let bound = match Server::bind(args).await {
        Ok(server) => server.address().map(|address| (server, address)),
        Err(error) => Err(error),
    };
    let (server, address) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            return cannot_start(&format!(
                "cannot listen on {}:{}: {error}. {}",
                args.host,
                args.port,
                next_step(&error)
            ));
        }
    };
    tell!("fake-inference: listening on {address}");
    if args.slowdown() > 1.0 {
        tell!("fake-inference: slow, every service takes {} times longer", args.slowdown());
    }
    let ended = server.serve(stop).await;
    if ended.unfinished > 0 {
        tell!(
            "fake-inference: stopped after {1:?} (--grace); requests not finished: {0}",
            ended.unfinished,
            args.grace
        );
    }
    ExitCode::from(EXIT_OK)
}

fn cannot_start(why: &str) -> ExitCode {
    tell!("fake-inference: {why}");
    ExitCode::from(EXIT_CANNOT_START)
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "Stop the program that listens there, or choose another --port (0 takes any free one)."
        }
        io::ErrorKind::PermissionDenied => "Choose a --port of 1024 or more.",
        _ => "Choose a --host that is an address of this machine, for example 127.0.0.1.",
    }
}

#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signals() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // If Ctrl-C cannot be handled, it ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
