//! Calibrates the confidence intervals and the verdicts on a grid of simulated load tests, and prints a Markdown
//! table. `cargo xtask bench calibration` runs it; `docs/measurement.md` explains the table.

mod grid;
#[path = "../../tests/calibration/library.rs"]
mod library;
mod requirements;
mod table;

use std::io::Write as _;
use std::num::ParseIntError;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use library::{Calibration, Cell, calibrate};

/// Number of threads that simulate.
const THREADS: usize = 2;
const USAGE: &str = "usage: calibration [--runs N] [--quick] [--only WORDS]";

struct Args {
    runs: u32,
    quick: bool,
    only: String,
}

fn main() -> ExitCode {
    let Ok(args) = args(std::env::args().skip(1)) else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let mut cells = if args.quick { grid::quick() } else { grid::full() };
    cells.retain(|cell| cell.name.contains(&args.only));
    let found = calibrate_all(&cells, args.runs);
    let text = [table::markdown(&found), requirements::markdown(&found)].join("\n");
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn args(mut given: impl Iterator<Item = String>) -> Result<Args, Option<ParseIntError>> {
    let mut args = Args { runs: 200, quick: false, only: String::new() };
    while let Some(word) = given.next() {
        match word.as_str() {
            "--quick" => args.quick = true,
            "--runs" => args.runs = given.next().ok_or(None)?.parse::<u32>()?.max(1),
            "--only" => args.only = given.next().ok_or(None)?,
            _ => return Err(None),
        }
    }
    Ok(args)
}

/// Calibrates all cells, on two threads. Progress goes to stderr.
fn calibrate_all(cells: &[Cell], runs: u32) -> Vec<Calibration> {
    let (started, next, done) = (Instant::now(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cell) = cells.get(at) else { return };
                    let found = calibrate(cell, runs);
                    let Ok(mut done) = done.lock() else { return };
                    done.push((at, found));
                    let (count, seconds) = (done.len(), started.elapsed().as_secs());
                    let line = format!("[{seconds:>4} s] {count}/{} {}", cells.len(), cell.name);
                    let _ = writeln!(std::io::stderr(), "{line}, {} s", cell.duration_s);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, found)| found).collect()
}
