//! The flags of `cargo xtask e2e`.

mod existing;
mod image_flags;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::failure::{Failure, USAGE};
use crate::folders::{self, Folders};
pub(super) use existing::ExistingFlags;
pub(crate) use image_flags::ImageFlags;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which kind of cluster to use
    #[arg(long, value_enum, default_value_t = ClusterKind::Auto)]
    pub(crate) cluster: ClusterKind,

    /// Configuration file of the matrix (YAML)
    #[arg(long, value_name = "FILE", help_heading = "Matrix")]
    pub(super) config: Option<String>,
    /// A ready-made matrix: quick, smoke, baseline, full [default: quick]
    #[arg(long, value_name = "NAME", help_heading = "Matrix")]
    preset: Option<String>,
    /// Replicas of the inference service, for example 1,2
    #[arg(long, value_name = "LIST", help_heading = "Matrix")]
    replicas: Option<String>,
    /// Locust workers, for example 2
    #[arg(long, value_name = "LIST", help_heading = "Matrix")]
    workers: Option<String>,
    /// Simulated users, for example 20,40
    #[arg(long, value_name = "LIST", help_heading = "Matrix")]
    users: Option<String>,
    /// Measured window of each scenario, for example 20s
    #[arg(long, value_name = "TIME", help_heading = "Matrix")]
    duration: Option<String>,
    /// Pause after each scenario, for example 5s
    #[arg(long, value_name = "TIME", help_heading = "Matrix")]
    cooldown: Option<String>,
    /// A goal for the service, for example 'p95<500ms'; repeat the flag for more goals
    #[arg(long, value_name = "GOAL", help_heading = "Matrix")]
    objective: Vec<String>,
    /// Search the most users, or the highest rate, that meet the objective
    #[arg(long, value_name = "OF", num_args = 0..=1, default_missing_value = "users", help_heading = "Matrix")]
    capacity: Option<String>,
    /// Find the replicas that this many users need
    #[arg(long, value_name = "N", help_heading = "Matrix")]
    for_users: Option<String>,
    /// Measure the answer of --for-users at the end
    #[arg(long, help_heading = "Matrix")]
    confirm: bool,
    /// More flags for the matrix, for example --until stable; locust-matrix plan --help lists them
    #[arg(last = true, value_name = "FLAGS", help_heading = "Matrix")]
    driver_flags: Vec<String>,

    /// Folder for the results; each run gets a folder in it [default: results]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Keep the cluster at the end, so that the next run can use it again
    #[arg(long)]
    pub(crate) keep: bool,
    /// Show Locust's own web pages on this port of this machine, for example 8089
    #[arg(long, value_name = "PORT")]
    pub(crate) ui_port: Option<u16>,
    #[command(flatten)]
    pub(super) images: ImageFlags,
    /// Name of the cluster
    #[arg(long, default_value = "locust-matrix")]
    pub(crate) name: String,
    /// Show the output of every command (the log of commands always has it)
    #[arg(short, long)]
    pub(crate) verbose: bool,

    // The last field, because clap puts everything that follows under the heading of these flags.
    #[command(flatten)]
    pub(super) existing: ExistingFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClusterKind {
    /// kind if Docker and kind work here, else embedded
    Auto,
    /// Kubernetes in Docker
    Kind,
    /// A small API server whose pods are local processes
    Embedded,
    /// A cluster that exists already
    Existing,
}

const EXAMPLES: &str = "\
Examples:
  The four quick scenarios in about three minutes, with cleanup at the end:
      cargo xtask e2e

  One scenario on a cluster that is kept for the next try:
      cargo xtask e2e --replicas 1 --workers 2 --users 20 --duration 10s --keep

  A matrix of your own:
      cargo xtask e2e --config matrix.yaml --results /tmp/results

  The open model as well, and each scenario only until its figures are stable:
      cargo xtask e2e --users 20 -- --rates 30,60 --until stable

  Another node image and another version of Locust:
      cargo xtask e2e --node-image kindest/node:v1.34.0 --locust-image locustio/locust:2.47.0

  Without Docker: pods are local processes:
      cargo xtask e2e --cluster embedded

  How many replicas carry 100 users, measured at the end:
      cargo xtask e2e --replicas 1,2,4 --objective 'p95<500ms' --for-users 100 --confirm

  In a cluster of your own, against the stub; everything that was deployed is removed again:
      cargo xtask e2e --cluster existing --context staging --namespace load-test \\
          --registry registry.example/team --stub

stdout has one line, the folder with the results:
      less \"$(cargo xtask e2e)/auto_summary.md\"

Exit codes: 0 all well, 1 bug, 2 usage, 3 something is missing, 4 the cluster or Locust
failed, 5 a scenario failed, 6 an objective was missed or is unknown, 130 interrupted.
Ctrl-C stops the load, fetches the results so far and deletes the cluster. A second Ctrl-C
skips the results.";

impl Args {
    /// Checks what clap cannot check.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = &self.name;
        if name.is_empty()
            || name.len() > 50
            || name.starts_with('-')
            || name.ends_with('-')
            || !name.chars().all(allowed)
        {
            return Err(Failure::new(
                USAGE,
                format!("--name {name}: not a valid name for a cluster"),
                "use up to 50 small letters, digits and dashes, for example --name my-test",
            ));
        }
        self.existing.check(self.cluster == ClusterKind::Existing)
    }

    /// The driver's flags for the matrix.
    pub(crate) fn matrix(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let quick = self.config.is_none() && self.preset.is_none();
        let preset = if quick { Some("quick".to_owned()) } else { self.preset.clone() };
        for (flag, value) in [
            ("--config", &self.config),
            ("--preset", &preset),
            ("--replicas", &self.replicas),
            ("--workers", &self.workers),
            ("--users", &self.users),
            ("--duration", &self.duration),
            ("--cooldown", &self.cooldown),
            ("--capacity", &self.capacity),
            ("--for-users", &self.for_users),
        ] {
            if let Some(value) = value {
                flags.push(flag.to_owned());
                flags.push(value.clone());
            }
        }
        for goal in &self.objective {
            flags.extend(["--objective".to_owned(), goal.clone()]);
        }
        flags.extend(self.confirm.then(|| "--confirm".to_owned()));
        flags.extend(self.driver_flags.iter().cloned());
        flags
    }

    pub(crate) fn results(&self, folders: &Folders) -> Result<PathBuf, Failure> {
        match &self.results {
            Some(folder) => folders::absolute(folder),
            None => Ok(folders.root.join("results")),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Args {
        Line::parse_from(line.split_whitespace()).args
    }

    #[test]
    fn without_a_config_or_a_preset_the_preset_is_quick() {
        assert_eq!(parse("e2e").matrix(), ["--preset", "quick"]);
        let flags = parse("e2e --users 20,40 --duration 5s").matrix();
        assert_eq!(flags, ["--preset", "quick", "--users", "20,40", "--duration", "5s"]);
        let flags = parse("e2e --capacity --objective p95<500ms --for-users 9 --confirm").matrix();
        let search = ["--capacity", "users", "--for-users", "9", "--objective", "p95<500ms", "--confirm"];
        assert_eq!(flags[2..], search);
        assert_eq!(parse("e2e --config m.yaml").matrix(), ["--config", "m.yaml"]);
        assert_eq!(parse("e2e --preset smoke").matrix(), ["--preset", "smoke"]);
        let flags = parse("e2e --users 20 -- --until stable --drift").matrix();
        assert_eq!(flags, ["--preset", "quick", "--users", "20", "--until", "stable", "--drift"]);
    }

    #[test]
    fn a_cluster_name_that_kind_does_not_accept_is_refused() {
        assert!(parse("e2e --name my-test-2").check().is_ok());
        for name in ["Big", "a_b", "a/b", "-a", "..", &"x".repeat(51)] {
            let args = Line::parse_from(["e2e", &format!("--name={name}")]).args;
            assert_eq!(args.check().unwrap_err().code, USAGE, "{name}");
        }
    }
}
