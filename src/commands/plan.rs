//! `locust-matrix plan`: what would be measured, and how long it takes.

use std::io::Write;
use std::time::Duration;

use records::{Mode, Search};

use super::deploy::{ManifestFlags, print_changes};
use crate::cluster::{Cluster, ClusterFlags};
use crate::config::{Config, MatrixFlags, Settings, Until};
use crate::deploy::allow_scaling;
use crate::events::{Events, many, minutes};
use crate::exit::{ExitCode, Result};
use crate::judge::Goal;
use crate::plan::{Grid, expected, plan_of};
use crate::secrets::hide_credentials;

/// Arguments of `plan`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Print the scenarios as a JSON array
    #[arg(long)]
    json: bool,
    /// Also show what `deploy` would change in the cluster for it; nothing is changed
    #[arg(long, conflicts_with = "json")]
    dry_run: bool,
    // After the flags above: clap lists every later flag under the latest heading.
    #[command(flatten)]
    matrix: MatrixFlags,
    #[command(flatten, next_help_heading = "With --dry-run")]
    manifests: ManifestFlags,
}

/// Prints the plan to `out`, and what it changes in a cluster where that is asked for.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; with `--dry-run` also those of `deploy`.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let config = Settings::from_flags(&arguments.matrix)?.complete()?;
    let search = config.search();
    let plan = if search.is_some() { Grid { scenarios: Vec::new() } } else { Grid::of(&config) };
    // A closed pipe is the reader's way to say it has enough.
    let _ = if arguments.json {
        let text = serde_json::to_string_pretty(&plan.scenarios).unwrap_or_default();
        writeln!(out, "{text}")
    } else if let Some(search) = search {
        about_search(&search, &config, out)
    } else {
        table(&plan, &config, out)
    };
    if !arguments.dry_run {
        return Ok(ExitCode::Success);
    }
    let mut objects = arguments.manifests.objects()?;
    allow_scaling(&mut objects, &config.inference.target(), config.pause_autoscaler);
    let cluster = Cluster::connect(flags, events).await?;
    let _ = writeln!(
        out,
        "\ndeploy would change in namespace {} of {} (+ new, ~ changed, = as it is):",
        cluster.namespace,
        hide_credentials(&cluster.server)
    );
    print_changes(&cluster, &objects, out).await
}

/// A search has no list of scenarios: each one depends on the outcomes of those before it.
fn about_search(search: &Search, config: &Config, out: &mut dyn Write) -> std::io::Result<()> {
    let what = match search.mode {
        Mode::Closed => format!("the most users, up to {}", search.most),
        Mode::Open => format!("the highest rate, up to {} requests/s", search.most),
    };
    let goals: Vec<_> = Goal::all(&config.objective).iter().map(Goal::to_string).collect();
    let replicas: Vec<_> = search.replicas.iter().map(u32::to_string).collect();
    writeln!(out, "a search for {what}, with {}, for replicas {}", goals.join(", "), replicas.join(", "))?;
    writeln!(
        out,
        "each with at most {} probes on {}; about {} in all",
        search.most_probes,
        many(search.workers, "worker"),
        minutes(plan_of(config).remaining(config, &[]).as_secs_f64()),
    )
}

fn table(plan: &Grid, config: &Config, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:>3}  {:>8}  {:>7}  {:<24}  {:>8}  {:>6}  about",
        "#", "replicas", "workers", "load", "spawn/s", "repeat"
    )?;
    for scenario in &plan.scenarios {
        let load = match scenario.rate {
            Some(rate) => format!("open, {rate}/s, ≤ {} users", scenario.users),
            None => format!("{} users", scenario.users),
        };
        let repeat = if scenario.drift { "drift".to_owned() } else { scenario.repeat.to_string() };
        writeln!(
            out,
            "{:>3}  {:>8}  {:>7}  {load:<24}  {:>8.1}  {repeat:>6}  {}",
            scenario.index + 1,
            scenario.replicas,
            scenario.workers,
            config.spawn_rate_for(scenario.users),
            minutes(expected(scenario, config).as_secs_f64()),
        )?;
    }
    if config.is_shuffled() {
        writeln!(out, "\nthe order is drawn by lot, seed {}", config.seed)?;
    }
    let about = |time: Duration| minutes(time.as_secs_f64());
    writeln!(
        out,
        "\n{}, each with a warm-up of {}, a window of {} and a cooldown of {}; about {} in all",
        many(plan.scenarios.len(), "scenario"),
        config.warmup,
        config.duration,
        config.cooldown,
        about(plan.expected(config)),
    )?;
    if config.until == Until::Stable {
        writeln!(
            out,
            "until stable: {} where every scenario is steady at once",
            about(plan.shortest(config))
        )?;
    }
    let longest = about(plan.longest(config));
    writeln!(
        out,
        "at most {longest}: a scenario that is not steady is measured for up to {}",
        minutes(config.longest().as_secs_f64())
    )
}
