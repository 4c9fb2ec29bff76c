//! `cargo xtask bench search`: searches capacities of a stub whose capacity is known, on a real cluster.

mod bed;
mod row;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use records::Record;
use serde_json::Value;

use crate::failure::{BUG, Failure};
use crate::run::stop::StopRequests;
use bed::Bed;
use row::{HEAD, Row, Simulated, misses, spread};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Where to search
    #[arg(long, value_enum, default_value_t = Place::Embedded)]
    cluster: Place,
    /// Searches; each is that of one number of replicas, and three of them make a run
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    searches: u32,
    /// Seed of the stub's service times in the first run; each further run has the next one
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Place {
    /// Pods are processes of this machine
    Embedded,
    /// Kubernetes in Docker
    Kind,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Kind => "kind",
        }
    }
}

const HELP: &str = "\
The stub serves 4 requests at a time on each of 1, 2 and 4 replicas, in 50 ms, with constant, exponential and
log-normal times in turn. The objective is P95 < 500 ms. Prints a Markdown table that compares each capacity with
that of a closed queue, and the time of the search with that of the full grid. Connections fall on the replicas by
chance, so that the closed queue is simulated once with connections by chance, and once with those of the search's own
probes: the difference is to the latter. A search takes about a minute. Nothing
else may use the machine: if the workers are late, a search ends early and says so.

Requirement: 18 of 20 searches within 5 %, at most 7 probes each, and at most a third of the full grid's time.
Exit code 1: it is missed.

Example:
      cargo xtask bench search --cluster kind > search.md";

/// The stub's distributions of service times, in turn.
const SERVICES: [&str; 3] = ["constant", "exponential", "log-normal"];
/// Numbers of replicas of each run.
const REPLICAS: [u32; 3] = [1, 2, 4];

pub(super) async fn run(stop: Arc<StopRequests>, args: &Args) -> Result<(), Failure> {
    let bed = Bed::prepare(stop, args.cluster.name()).await?;
    let searched = search(&bed, args).await;
    let deleted = bed.delete().await;
    let rows = searched?;
    deleted?;
    let mut out = std::io::stdout();
    let missed = misses(&rows);
    let _ = writeln!(out, "\n{}", row::summary(&rows));
    if missed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        BUG,
        format!("the requirement is missed: {}", missed.join("; ")),
        format!(
            "read the reports in {}, and repeat it on a machine that does nothing else",
            bed.results().display()
        ),
    ))
}

/// Prints each row as soon as it is known.
async fn search(bed: &Bed, args: &Args) -> Result<Vec<Row>, Failure> {
    let mut truths = Vec::new();
    for service in SERVICES.into_iter().take(args.searches.div_ceil(3) as usize) {
        truths.push(bed.closed_queue(service, &REPLICAS.map(|replicas| replicas.to_string())).await?);
    }
    bed.start().await?;
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{HEAD}");
    let mut rows: Vec<Row> = Vec::new();
    for (at, seed) in (0..args.searches.div_ceil(3)).zip(args.seed..) {
        let index = at as usize % SERVICES.len();
        let left = args.searches as usize - rows.len();
        let replicas = &REPLICAS[..left.min(REPLICAS.len())];
        let run = bed.search(SERVICES[index], seed, replicas).await?;
        let (answer, records) = read(&run)?;
        let spreads: Vec<String> = records.iter().filter_map(spread).collect();
        let with_connections = if spreads.is_empty() {
            Simulated::parse("")?
        } else {
            bed.closed_queue(SERVICES[index], &spreads).await?
        };
        for row in Row::all(&answer, &records, SERVICES[index], seed, [&truths[index], &with_connections]) {
            let _ = writeln!(out, "{}", row.line());
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The answer and the records of a run.
fn read(run: &Path) -> Result<(Value, Vec<Record>), Failure> {
    let of = |name: &str| {
        let path = run.join(name);
        std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, "read", &error))
    };
    let wrong = |what: String| Failure::bug(format!("{}: {what}", run.display()));
    let answer = serde_json::from_str(&of("capacity.json")?).map_err(|error| wrong(error.to_string()))?;
    let records = records::read(&of(records::FILE_NAME)?).map_err(|error| wrong(error.to_string()))?;
    Ok((answer, records))
}
