//! `locust-matrix plan`: what would be measured, and how long it takes.

use std::io::Write;

use crate::config::{MatrixFlags, Settings};
use crate::events::minutes;
use crate::exit::{ExitCode, Result};
use crate::plan::{Plan, expected};

/// Arguments of `plan`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    matrix: MatrixFlags,
    /// Print the scenarios as a JSON array
    #[arg(long)]
    json: bool,
}

/// Prints the plan to `out`.
///
/// # Errors
/// Exit code 2: the matrix cannot be used.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode> {
    let config = Settings::from_flags(&arguments.matrix)?.complete()?;
    let plan = Plan::of(&config);
    // A closed pipe is the reader's way to say it has enough.
    let _ = if arguments.json {
        let text = serde_json::to_string_pretty(&plan.scenarios).unwrap_or_default();
        writeln!(out, "{text}")
    } else {
        table(&plan, &config, out)
    };
    Ok(ExitCode::Success)
}

fn table(plan: &Plan, config: &crate::config::Config, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:>3}  {:>8}  {:>7}  {:>7}  {:>10}  about",
        "#", "replicas", "workers", "users", "users/s"
    )?;
    for scenario in &plan.scenarios {
        writeln!(
            out,
            "{:>3}  {:>8}  {:>7}  {:>7}  {:>10.1}  {}",
            scenario.index + 1,
            scenario.replicas,
            scenario.workers,
            scenario.users,
            config.spawn_rate_for(scenario.users),
            minutes(expected(scenario, config).as_secs_f64()),
        )?;
    }
    writeln!(
        out,
        "\n{} scenarios, each with a window of {} and a cooldown of {}; about {} in all",
        plan.scenarios.len(),
        config.duration,
        config.cooldown,
        minutes(plan.expected(config).as_secs_f64()),
    )
}
