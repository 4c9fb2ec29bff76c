//! P95 in a closed loop of the manifests' locustfile, and how many users meet an objective for it, by long simulations.
//! `cargo xtask bench search` compares searched capacities with it.

use std::io::Write as _;
use std::process::ExitCode;

use fake_inference::closed_loop::capacity::Replicas;
use fake_inference::simulation::Service;

const USAGE: &str =
    "usage: closed_queue constant|exponential|log-normal SERVICE_MS SLOTS P95_MS REPLICAS|USERS,USERS,……";
/// Standard deviation / mean of the log-normal times, as the stub has it by default.
const CV: f64 = 0.5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(lines) = answers(&arguments) else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let _ = std::io::stdout().write_all(lines.as_bytes());
    ExitCode::SUCCESS
}

/// A line for each number of replicas, with the users that they carry; and one for each list of the users on each
/// replica, with P95 in ms.
fn answers(arguments: &[String]) -> Option<String> {
    let [service, service_ms, slots, p95_ms, asked @ ..] = arguments else { return None };
    let mean = service_ms.parse::<f64>().ok()? / 1000.0;
    let service = match service.as_str() {
        "constant" => Service::Constant(mean),
        "exponential" => Service::Exponential(mean),
        "log-normal" => Service::LogNormal { mean, sigma: (1.0 + CV * CV).ln().sqrt() },
        _ => return None,
    };
    let (slots, goal) = (slots.parse().ok()?, p95_ms.parse::<f64>().ok()? / 1000.0);
    let of = |replicas| Replicas { replicas, slots, service, mean };
    let line = |asked: &String| {
        let numbers: Vec<usize> = asked.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let answer = match numbers[..] {
            [0] => return None,
            [replicas] => of(replicas).carry(goal),
            _ => 1000.0 * of(numbers.len()).p95_with(&numbers),
        };
        Some(format!("{asked} {answer:.2}\n"))
    };
    (!asked.is_empty()).then(|| asked.iter().map(line).collect())?
}
