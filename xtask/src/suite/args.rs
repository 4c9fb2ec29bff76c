//! The arguments of `cargo xtask test`, and the tiers.

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Fail (exit 3) if this machine cannot run this tier; without, the tier counts as skipped
    #[arg(long, value_enum, value_name = "TIER")]
    pub(super) require: Vec<Tier>,
    /// Run only this tier; the only way to run faults, soak and fuzz, which take long
    #[arg(long = "tier", visible_alias = "only", value_enum, value_name = "TIER")]
    pub(super) only: Option<Tier>,
    /// Node image for the kind tier [default: the one in versions.toml for this kind]
    #[arg(long, value_name = "IMAGE", env = "KIND_NODE_IMAGE")]
    pub(super) node_image: Option<String>,
    /// Image of Locust [default: locustio/locust of the version in versions.toml]
    #[arg(long, value_name = "IMAGE")]
    pub(super) locust_image: Option<String>,
}

impl Args {
    /// Whether no tier is selected.
    pub(crate) fn every_tier(&self) -> bool {
        self.only.is_none()
    }
}

/// From the least powerful to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Tier {
    /// Pure tests, tests with a mocked API, and tests of the command lines
    Workspace,
    /// Tests with containers: needs Docker
    Container,
    /// Tests with the embedded cluster: needs Linux, Python 3.11 or later and PyPI
    Embedded,
    /// Tests with a cluster: needs Docker, kind and a node image
    Kind,
    /// Runs that a random fault strikes: needs the same as embedded, and about 2 hours; also on kind, if this machine
    /// can run it
    Faults,
    /// One run of 2,000 scenarios on the embedded cluster, with its memory: needs the same, and hours
    Soak,
    /// Random and damaged inputs for every reader: 15 minutes for each
    Fuzz,
}

const EXAMPLES: &str = "\
Examples:
  Everything that this machine can run:
      cargo xtask test

  In CI, where a missing tool must be a failure:
      cargo xtask test --require kind

  The tests that need nothing but Rust:
      cargo xtask test --tier workspace

  The long tests, which never run by themselves:
      cargo xtask test --tier faults    # FAULTS_COUNT=120 FAULTS_KIND_COUNT=24 FAULTS_SEED=… FAULTS_TABLE=FILE
      cargo xtask test --tier soak      # SOAK_COUNT=2000 SOAK_TABLE=FILE
      cargo xtask test --tier fuzz      # FUZZ_SECONDS=900 for each test

The last line is `N passed, N failed, N skipped`. Skipped tiers could not run; the lines
above it give the reasons, and the ten slowest tests with their times.";

impl Tier {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Container => "container",
            Self::Embedded => "embedded",
            Self::Kind => "kind",
            Self::Faults => "faults",
            Self::Soak => "soak",
            Self::Fuzz => "fuzz",
        }
    }

    /// Whether it runs only if it is named, because it takes hours.
    pub(super) fn only_if_named(self) -> bool {
        matches!(self, Self::Faults | Self::Soak | Self::Fuzz)
    }

    /// Whether it needs only the embedded cluster.
    pub(super) fn without_docker(self) -> bool {
        matches!(self, Self::Embedded | Self::Soak)
    }

    /// Whether its tests start the embedded cluster.
    pub(super) fn on_embedded(self) -> bool {
        matches!(self, Self::Embedded | Self::Faults | Self::Soak)
    }
}
