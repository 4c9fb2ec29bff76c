//! Writes the reports of a large matrix, and prints how long that takes and how much memory it needs.
//! `cargo xtask bench report` runs it.

#[path = "../../tests/report/matrix.rs"]
mod matrix;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use locust_matrix::judge::JudgedRun;
use locust_matrix::report;
use matrix::{matrix, spoil};

const USAGE: &str = "usage: report SCENARIOS DIR";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let scenarios: Option<u32> = arguments.next().and_then(|count| count.parse().ok());
    let (Some(scenarios), Some(folder)) = (scenarios, arguments.next().map(PathBuf::from)) else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let users: Vec<u32> = (1..=scenarios.div_ceil(8).max(1)).map(|at| 100 * at).collect();
    let mut records = matrix(&[1, 2, 4, 8], &[4, 8], &users, true);
    records.truncate(scenarios as usize);
    spoil(&mut records);
    let judging = Instant::now();
    let run = JudgedRun::of(&records);
    let judged = judging.elapsed();
    let before = memory_mib();
    let (writing, cpu) = (Instant::now(), cpu_s());
    if let Err(error) = report::write(&run, &folder) {
        let _ = writeln!(std::io::stderr(), "error: {error}");
        return ExitCode::from(3);
    }
    let took = writing.elapsed();
    let cpu =
        cpu_s().zip(cpu).map_or("not known".to_owned(), |(after, before)| format!("{:.2}", after - before));
    let html = std::fs::metadata(folder.join("report.html")).map_or(0, |file| file.len());
    let more = memory_mib().zip(before).map(|(after, before)| after.saturating_sub(before));
    let _ = writeln!(
        std::io::stdout(),
        "| scenarios | judged in, s | all reports written in, s | of it CPU, s | report.html, kB | memory beyond the records, MiB |\n\
         |---:|---:|---:|---:|---:|---:|\n| {} | {:.2} | {:.2} | {cpu} | {} | {} |",
        records.len(),
        judged.as_secs_f64(),
        took.as_secs_f64(),
        html / 1000,
        more.map_or("not known".to_owned(), |mib| mib.to_string())
    );
    ExitCode::SUCCESS
}

/// The CPU time that this process has used so far, s; `None` where the kernel does not tell.
fn cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|ns| ns / 1e9)
}

/// The most memory that this process has used so far, MiB; `None` where the kernel does not tell.
fn memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib / 1024)
}
