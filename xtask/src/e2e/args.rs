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
    /// Which kind of cluster to bring up
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
    /// Measured window of a scenario, for example 20s
    #[arg(long, value_name = "TIME", help_heading = "Matrix")]
    duration: Option<String>,
    /// Pause after a scenario, for example 5s
    #[arg(long, value_name = "TIME", help_heading = "Matrix")]
    cooldown: Option<String>,
    /// Further flags of the matrix, for example --until stable: see locust-matrix plan --help
    #[arg(last = true, value_name = "FLAGS", help_heading = "Matrix")]
    further: Vec<String>,

    /// Where the results go, in a folder per run [default: results]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Leave the cluster running at the end; the next run uses it again
    #[arg(long)]
    pub(crate) keep: bool,
    /// ShowOutput Locust's own pages on this port of this machine, for example 8089
    #[arg(long, value_name = "PORT")]
    pub(crate) ui_port: Option<u16>,
    #[command(flatten)]
    pub(super) images: ImageFlags,
    /// Name of the cluster
    #[arg(long, default_value = "locust-matrix")]
    pub(crate) name: String,
    /// ShowOutput the output of every command (the log of commands has it anyway)
    #[arg(short, long)]
    pub(crate) verbose: bool,

    // The last, because what follows would stand under its heading.
    #[command(flatten)]
    pub(super) existing: ExistingFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClusterKind {
    /// kind where Docker and kind work, else embedded
    Auto,
    /// Kubernetes in Docker
    Kind,
    /// A small API server whose pods are local processes
    Embedded,
    /// A cluster that is there already
    Existing,
}

const EXAMPLES: &str = "\
Examples:
  The four quick scenarios, about three minutes, and everything is cleaned up:
      cargo xtask e2e

  One scenario while trying something, on a cluster that stays:
      cargo xtask e2e --replicas 1 --workers 2 --users 20 --duration 10s --keep

  A matrix of your own:
      cargo xtask e2e --config matrix.yaml --results /tmp/results

  No longer than it takes to know it, and in the open model, too:
      cargo xtask e2e --users 20 -- --rates 30,60 --until stable

  Another node image, or another Locust:
      cargo xtask e2e --node-image kindest/node:v1.34.0 --locust-image locustio/locust:2.47.0

  Without Docker, with pods that are local processes:
      cargo xtask e2e --cluster embedded

  In a cluster of your own, in the stub's company; everything deployed is removed again:
      cargo xtask e2e --cluster existing --context staging --namespace load-test \\
          --registry registry.example/team --stub

The folder with the results is the only line on stdout:
      less \"$(cargo xtask e2e)/auto_summary.md\"

Exit codes: 0 all well, 1 bug, 2 usage, 3 something is missing, 4 the cluster or Locust
failed, 5 a scenario failed, 6 a threshold was missed, 130 interrupted.
Ctrl-C stops the load, keeps what was measured and deletes the cluster; a second one
skips the results.";

impl Args {
    /// What clap cannot see.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = &self.name;
        if name.is_empty()
            || name.len() > 50
            || name.starts_with('-')
            || name.ends_with('-')
            || !name.chars().all(plain)
        {
            return Err(Failure::new(
                USAGE,
                format!("--name {name}: not a name for a cluster"),
                "use up to 50 small letters, digits and dashes, for example --name my-test",
            ));
        }
        self.existing.check(self.cluster == ClusterKind::Existing)
    }

    /// The matrix, in the driver's words, as the user gave it.
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
        ] {
            if let Some(value) = value {
                flags.push(flag.to_owned());
                flags.push(value.clone());
            }
        }
        flags.extend(self.further.iter().cloned());
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
    fn without_a_matrix_it_is_the_quick_one() {
        assert_eq!(parse("e2e").matrix(), ["--preset", "quick"]);
        let flags = parse("e2e --users 20,40 --duration 5s").matrix();
        assert_eq!(flags, ["--preset", "quick", "--users", "20,40", "--duration", "5s"]);
        assert_eq!(parse("e2e --config m.yaml").matrix(), ["--config", "m.yaml"]);
        assert_eq!(parse("e2e --preset smoke").matrix(), ["--preset", "smoke"]);
        let flags = parse("e2e --users 20 -- --until stable --drift").matrix();
        assert_eq!(flags, ["--preset", "quick", "--users", "20", "--until", "stable", "--drift"]);
    }

    #[test]
    fn a_name_that_kind_would_refuse_is_refused() {
        assert!(parse("e2e --name my-test-2").check().is_ok());
        for name in ["Big", "a_b", "a/b", "-a", "..", &"x".repeat(51)] {
            let args = Line::parse_from(["e2e", &format!("--name={name}")]).args;
            assert_eq!(args.check().unwrap_err().code, USAGE, "{name}");
        }
    }
}
