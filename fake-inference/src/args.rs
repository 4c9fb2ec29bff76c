//! Flags, environment variables and exit codes.

use std::time::Duration;

use clap::Parser;

use crate::disturbance::is_slow;
use crate::profile::Profile;
use crate::service_time::Shape;

/// Stopped by SIGTERM or SIGINT, after `--grace` at the latest.
pub const EXIT_OK: u8 = 0;
/// A flag or variable is wrong (clap's own code).
pub const EXIT_USAGE: u8 = 2;
/// The server could not start: for example, its port is in use.
pub const EXIT_CANNOT_START: u8 = 3;

const MORE: &str = "\
Endpoints:
  POST /predict   30 time steps of 11 features in, 11 numbers out
  GET  /healthz   200 as long as the server accepts requests
  GET  /metrics   counts and histograms, as Prometheus text

A prediction waits for one of the --concurrency slots, first come, first served, and then
holds it for its service time. So one server answers at most
  concurrency / service time
requests per second: 4 / 0.1 s = 40 with the defaults. With more load a queue builds up.

--profile imitates a measured server. It sets the concurrency and the service times, which
depend on the number of predictions in the system. It overrides --concurrency, --service,
--service-ms and --service-cv and their variables.

--warm-up, --stall-ms and --slow-factor add disturbances that a load test should detect.

Examples:
  fake-inference --port 0
  fake-inference --profile flts-baseline
  fake-inference --service exponential --service-ms 250 --concurrency 8
  fake-inference --service log-normal --service-ms 100 --service-cv 0.5 --seed 7
  fake-inference --failure-rate 0.01
  fake-inference --stall-ms 1000 --stall-every 10
  fake-inference --warm-up 60 --warm-up-factor 5

Exit codes:
  0  stopped by SIGTERM or SIGINT; requests in flight were finished, or --grace was over
  2  a flag or variable is wrong
  3  the server cannot start, for example because its port is in use

Every flag can also be set by its environment variable; the flag overrides it.";

/// A stub LSTM inference server with a known service time, for load tests.
///
/// It answers POST /predict with the forecast of a small LSTM, which is the same for the same input
/// on every machine. Each answer takes the time that the service-time model gives. The server counts
/// all requests and answers.
#[derive(Debug, Clone, Parser)]
#[command(version, after_long_help = MORE, after_help = "More, with examples and exit codes: --help")]
pub struct Args {
    /// Address or name to listen on; `::` is every address of IPv6 and IPv4
    #[arg(long, env = "FAKE_INFERENCE_HOST", default_value = "0.0.0.0")]
    pub host: String,

    /// Port to listen on; 0 takes any free port, and the first line on stderr says which
    #[arg(long, env = "FAKE_INFERENCE_PORT", default_value_t = 8000)]
    pub port: u16,

    /// A measured server to imitate; overrides --concurrency and --service*
    #[arg(long, env = "FAKE_INFERENCE_PROFILE", value_enum)]
    pub profile: Option<Profile>,

    /// Number of requests that are served at the same time; the others wait
    #[arg(long, env = "FAKE_INFERENCE_CONCURRENCY", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub concurrency: u32,

    /// Number of requests that may wait for a slot; further ones are answered 503 at once
    #[arg(long, env = "FAKE_INFERENCE_MAX_WAITING", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub max_waiting: u32,

    /// Distribution of the service time
    #[arg(long, env = "FAKE_INFERENCE_SERVICE", value_enum, default_value_t = Shape::Constant)]
    pub service: Shape,

    /// Mean service time, in milliseconds
    #[arg(long, env = "FAKE_INFERENCE_SERVICE_MS", value_name = "MS", default_value = "100")]
    #[arg(value_parser = milliseconds)]
    pub service_ms: Duration,

    /// Standard deviation / mean of the service time; only log-normal uses it
    #[arg(long, env = "FAKE_INFERENCE_SERVICE_CV", value_name = "CV", default_value = "0.5")]
    #[arg(value_parser = variation)]
    pub service_cv: f64,

    /// Share of valid predictions, 0 to 1, that are answered 500 after their service time
    #[arg(long, env = "FAKE_INFERENCE_FAILURE_RATE", value_name = "SHARE", default_value = "0")]
    #[arg(value_parser = share)]
    pub failure_rate: f64,

    /// Length of the warm-up of the process, in seconds; 0 is no warm-up
    #[arg(long, env = "FAKE_INFERENCE_WARM_UP", value_name = "SECONDS", default_value = "0")]
    #[arg(value_parser = seconds)]
    pub warm_up: Duration,

    /// Factor on the service time at the start of --warm-up; it falls linearly to 1
    #[arg(long, env = "FAKE_INFERENCE_WARM_UP_FACTOR", value_name = "FACTOR", default_value = "5")]
    #[arg(value_parser = factor)]
    pub warm_up_factor: f64,

    /// Length of a stall, in milliseconds; no prediction makes progress in it; 0 is no stall
    #[arg(long, env = "FAKE_INFERENCE_STALL_MS", value_name = "MS", default_value = "0")]
    #[arg(value_parser = milliseconds)]
    pub stall_ms: Duration,

    /// Time from the beginning of one stall to the next, in seconds; longer than a stall
    #[arg(long, env = "FAKE_INFERENCE_STALL_EVERY", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds)]
    pub stall_every: Duration,

    /// Factor on every service time in a slow process
    #[arg(long, env = "FAKE_INFERENCE_SLOW_FACTOR", value_name = "FACTOR", default_value = "1")]
    #[arg(value_parser = factor)]
    pub slow_factor: f64,

    /// Share of processes, 0 to 1, that are slow; the host name decides which
    #[arg(long, env = "FAKE_INFERENCE_SLOW_SHARE", value_name = "SHARE", default_value = "1")]
    #[arg(value_parser = share)]
    pub slow_share: f64,

    /// Seed of service times, failures, slow processes and the run id
    #[arg(long, env = "FAKE_INFERENCE_SEED", default_value_t = 0)]
    pub seed: u64,

    /// Longest accepted body, in bytes; longer ones are answered 413
    #[arg(long, env = "FAKE_INFERENCE_MAX_BODY", value_name = "BYTES", default_value_t = 256 * 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64 * 1024 * 1024))]
    pub max_body: u32,

    /// Longest time for a body to arrive, in seconds; slower ones are answered 408
    #[arg(long, env = "FAKE_INFERENCE_READ_TIMEOUT", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds)]
    pub read_timeout: Duration,

    /// Longest time for the next request's head to arrive on an open connection, in seconds
    ///
    /// After it, an idle connection is closed. Set it longer than the longest pause of your clients, so
    /// that none of them sends a request while its connection is being closed.
    #[arg(long, env = "FAKE_INFERENCE_IDLE_TIMEOUT", value_name = "SECONDS", default_value = "300")]
    #[arg(value_parser = seconds)]
    pub idle_timeout: Duration,

    /// Largest number of open connections; further ones wait to be accepted
    #[arg(long, env = "FAKE_INFERENCE_MAX_CONNECTIONS", value_name = "N", default_value_t = 16_384)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Longest time to finish the requests in flight after SIGTERM or SIGINT, in seconds
    #[arg(long, env = "FAKE_INFERENCE_GRACE", value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds)]
    pub grace: Duration,
}

impl Args {
    /// Checks flags that depend on each other.
    pub fn check(&self) -> Result<(), String> {
        if !self.stall_ms.is_zero() && self.stall_every <= self.stall_ms {
            return Err("--stall-every must be longer than --stall-ms".to_owned());
        }
        Ok(())
    }

    /// Factor on every service time in this process: `slow_factor` if it is a slow one, else 1.
    pub fn slowdown(&self) -> f64 {
        let host = std::env::var("HOSTNAME").unwrap_or_default();
        if is_slow(&host, self.slow_share, self.seed) { self.slow_factor } else { 1.0 }
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    number(text, 0.0, 3_600_000.0).map(|ms| Duration::from_secs_f64(ms / 1000.0))
}

fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 0.0, 86_400.0).map(Duration::from_secs_f64)
}

fn variation(text: &str) -> Result<f64, String> {
    number(text, 0.0, 100.0)
}

fn factor(text: &str) -> Result<f64, String> {
    number(text, 0.001, 1000.0)
}

fn share(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1.0)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let wrong = || format!("expected a number from {least} to {most}");
    let number: f64 = text.parse().map_err(|_| wrong())?;
    // NaN is in no range.
    if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["fake-inference"], flags].concat())
    }

    #[test]
    fn the_definition_is_valid_and_every_flag_has_its_variable() {
        let command = Args::command();
        command.clone().debug_assert();
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else {
                continue;
            };
            let variable = format!("FAKE_INFERENCE_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(variable.as_str()));
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for flags in [
            ["--failure-rate", "1.1"],
            ["--failure-rate", "NaN"],
            ["--failure-rate", "-0.1"],
            ["--service-ms", "inf"],
            ["--service-cv", "x"],
            ["--concurrency", "0"],
            ["--grace", "-1"],
            ["--service", "uniform"],
            ["--slow-factor", "0"],
            ["--profile", "fast"],
            ["--port", "65536"],
        ] {
            let error = parse(&flags).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{flags:?}");
            assert_eq!(error.exit_code(), i32::from(EXIT_USAGE), "{flags:?}");
        }
    }

    #[test]
    fn a_stall_as_long_as_its_period_is_refused() {
        assert!(parse(&["--stall-ms", "10000"]).unwrap().check().is_err());
        assert!(parse(&["--stall-ms", "9999"]).unwrap().check().is_ok());
        assert!(
            parse(&["--stall-every", "0"]).unwrap().check().is_ok(),
            "without a stall its period does not matter"
        );
    }

    #[test]
    fn fractions_of_a_time_are_kept() {
        let args = parse(&["--service-ms", "12.5", "--grace", "0.25"]).unwrap();
        assert_eq!(args.service_ms, Duration::from_micros(12_500));
        assert_eq!(args.grace, Duration::from_millis(250));
    }

    #[test]
    fn the_help_names_every_exit_code() {
        for code in [EXIT_OK, EXIT_USAGE, EXIT_CANNOT_START] {
            assert!(MORE.contains(&format!("\n  {code}  ")), "exit code {code}");
        }
    }
}
