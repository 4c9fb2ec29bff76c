//! One run of 2,000 short scenarios: no row is lost, and nothing that runs all the time grows.
//!
//! `SOAK_COUNT` changes the number of scenarios, and `SOAK_TABLE` names a file for the table.

mod memory;
mod trend;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::embedded::EmbeddedCluster;
use e2e::results::{only_run, records, rows, scenario_id};
use e2e::tool::{Clock, say};

use memory::Memory;
use trend::Trend;

/// Between two looks at the memory.
const EVERY: Duration = Duration::from_secs(2);
/// The most memory that the driver may use at any time: 40 MB.
const DRIVER_PEAK_MIB: f64 = 40e6 / 1_048_576.0;
/// Growth is a trend if it is above this, per 1,000 scenarios.
const TREND_MIB: f64 = 1.0;
/// In a shorter run, what a program allocates at its start looks like a trend.
const TREND_FROM: usize = 1000;
/// An undisturbed scenario takes 5 s at most, also on a busy machine.
const LONGEST_SCENARIO: Duration = Duration::from_secs(20);

#[test]
fn two_thousand_scenarios_lose_no_row_and_nothing_grows() {
    let _clock = Clock::start("two_thousand_scenarios_lose_no_row_and_nothing_grows");
    let count = std::env::var("SOAK_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(2000);
    let (settings, count) = settings(count);
    let folder = tempfile::Builder::new().prefix("locust-matrix-soak-").tempdir().unwrap();
    let cluster = EmbeddedCluster::start(&folder.path().join("cluster")).unwrap();
    cluster.namespace().settle(Duration::from_mins(1)).unwrap();
    let matrix = folder.path().join("matrix.yaml");
    std::fs::write(&matrix, settings).unwrap();
    let results = folder.path().join("results");
    let log = folder.path().join("driver.log");
    let mut command = cluster.driver();
    command.args(["run", "--cluster-kind", "embedded", "--config"]).arg(&matrix);
    command.arg("--results").arg(&results).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());

    let begun = Instant::now();
    let mut driver = command.spawn().unwrap();
    let mut memory = Memory::default();
    let code = loop {
        if let Some(status) = driver.try_wait().unwrap() {
            break status.code();
        }
        if begun.elapsed() > LONGEST_SCENARIO * u32::try_from(count).unwrap() {
            let _ = driver.kill();
            break driver.wait().unwrap().code();
        }
        memory.look(begun.elapsed().as_secs_f64(), driver.id(), &cluster);
        std::thread::sleep(EVERY);
    };
    let took = begun.elapsed();
    let problems = problems(code, &log, &results, count, &memory);
    let table = table(&memory, took, count);
    say(&table);
    if let Ok(path) = std::env::var("SOAK_TABLE") {
        std::fs::write(&path, &table).unwrap();
    }
    let ended = cluster.end();
    assert!(problems.is_empty() && ended.is_ok(), "{}; {ended:?}", problems.join("; "));
}

/// A matrix of short scenarios with little load, and how many scenarios it has: at most `count`. It steps between one
/// and two replicas once, so that most of the time is measurement.
fn settings(count: usize) -> (String, usize) {
    let repeats = (count / 10).clamp(1, 100);
    let users = (count / repeats / 2).max(1);
    let list: Vec<String> = (1..=users).map(|users| users.to_string()).collect();
    let text = format!(
        "{{replicas: [1, 2], workers: [1], users: [{}], repeats: {repeats}, shuffle: false, duration: 500ms, \
         max_duration: 500ms, warmup: 0s, cooldown: 0s, spawn_rate: 100}}",
        list.join(", ")
    );
    (text, 2 * users * repeats)
}

fn problems(code: Option<i32>, log: &Path, results: &Path, count: usize, memory: &Memory) -> Vec<String> {
    let mut problems = Vec::new();
    if code != Some(0) && code != Some(5) {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(10)..].join("\n");
        return vec![format!("the driver ended with {code:?}: {last}")];
    }
    let run = only_run(results);
    let recorded: BTreeSet<String> =
        records(&run).iter().map(|record| scenario_id(record).to_owned()).collect();
    if recorded.len() != count {
        problems.push(format!("{} of {count} scenarios are recorded", recorded.len()));
    }
    let rows = rows(&run).len();
    if rows != count {
        problems.push(format!("{rows} rows for {count} scenarios"));
    }
    let peak = memory.driver_peak_mib();
    if peak >= DRIVER_PEAK_MIB {
        problems.push(format!("the driver used up to {peak:.1} MiB, and may use {DRIVER_PEAK_MIB:.1} MiB"));
    }
    for (name, series) in memory.series() {
        let trend = Trend::of(series, count);
        if count >= TREND_FROM && trend.is_growth(TREND_MIB) {
            problems.push(format!("{name} grows by {:.2} MiB per 1,000 scenarios", trend.mib_per_thousand));
        }
    }
    problems
}

fn table(memory: &Memory, took: Duration, count: usize) -> String {
    let each = took.as_secs_f64() / count as f64;
    let mut text = format!(
        "{count} scenarios took {:.0} min, {each:.2} s each (2,000 take {:.1} h). Peak of the driver: {:.1} MiB.\n\n\
         | process | samples | smallest | median | largest | slope after the first fifth, per 1,000 scenarios | Kendall's tau |\n\
         |---|---|---|---|---|---|---|\n",
        took.as_secs_f64() / 60.0,
        each * 2000.0 / 3600.0,
        memory.driver_peak_mib(),
    );
    for (name, series) in memory.series() {
        let mut sizes: Vec<f64> = series.iter().map(|(_, mib)| *mib).collect();
        sizes.sort_by(f64::total_cmp);
        let Trend { mib_per_thousand, tau } = Trend::of(series, count);
        let (smallest, largest) = (sizes[0], sizes[sizes.len() - 1]);
        let median = sizes[sizes.len() / 2];
        let _ = writeln!(
            text,
            "| {name} | {} | {smallest:.1} MiB | {median:.1} MiB | {largest:.1} MiB | {mib_per_thousand:+.2} MiB | {tau:+.2} |",
            sizes.len(),
        );
    }
    text
}

#[test]
fn the_matrix_has_the_wanted_number_of_scenarios() {
    assert_eq!([2000, 100, 20].map(|count| settings(count).1), [2000, 100, 20]);
    assert!(settings(100).0.contains("users: [1, 2, 3, 4, 5], repeats: 10"), "{}", settings(100).0);
}
