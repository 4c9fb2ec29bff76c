//! Searches capacities on simulated services whose capacity is known, and prints a Markdown table.
//! `cargo xtask bench capacity` runs it.

#[path = "../../tests/calibration/searches.rs"]
mod searches;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use fake_inference::simulation::Connections;
use searches::{SERVICES, Searched, search_again, sentences_without_a_queue};

const USAGE: &str = "usage: capacity [RUNS]";

fn main() -> ExitCode {
    let Ok(runs) = std::env::args().nth(1).unwrap_or_else(|| "20".to_owned()).parse() else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let _ = std::io::stdout().write_all(table(runs).as_bytes());
    ExitCode::SUCCESS
}

fn table(runs: u64) -> String {
    let mut text = format!(
        "{runs} searches each: 50 ms, 4 slots per replica, P95 < 500 ms, windows of 20 s until stable.\n\n\
         The truth is that of even connections. Connections at random cost a few percent of it.\n\n\
         | service | connections | replicas | truth | found, mean | within 5 % | not found | probes, mean | most | band holds | confirmed |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for (connections, name) in [(Connections::Even, "even"), (Connections::Random, "random")] {
        for service in SERVICES {
            for searched in search_again(service, &connections, runs) {
                text.push_str(&row(service.0, name, &searched, runs));
            }
        }
    }
    text.push_str("\nServices that are no queue:\n\n");
    for (service, sentence) in sentences_without_a_queue() {
        let _ = writeln!(text, "- The service {service}: {sentence}.");
    }
    text
}

fn row(service: &str, connections: &str, searched: &Searched, runs: u64) -> String {
    let share = |count: u32| format!("{:.2}", f64::from(count) / runs as f64);
    let missing = searched.capacities.iter().filter(|found| found.is_none()).count();
    format!(
        "| {service} | {connections} | {} | {:.1} | {:.1} | {:.2} | {missing} | {:.1} | {} | {} | {} |\n",
        searched.replicas,
        searched.truth,
        searched.mean_found(),
        searched.right(),
        searched.mean_probes(),
        searched.probes.iter().max().copied().unwrap_or(0),
        share(searched.held),
        share(searched.confirmed),
    )
}
