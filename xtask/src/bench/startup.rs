//! `cargo xtask bench startup`: the time until the first request, compared with that of creating a plain cluster.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::median::median;
use super::setup::Setup;
use crate::e2e::choice::kind_command;
use crate::e2e::owner_mount;
use crate::failure::{CLUSTER, Failure};
use crate::folders;
use crate::run::stop::StopPolicy;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Number of pairs to measure; the result is their median
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
}

const HELP: &str = "\
Each pair is one `kind create cluster --wait` and then one `cargo xtask e2e` with a new cluster;
everything is compiled before. Target: the first request after at most 1.5 times (aim: 1.3 times)
the time of kind alone, and after at most 6 s on a kept cluster. Three pairs take about five minutes.";

/// The smallest load, because only the time before it is measured.
const MATRIX: &str =
    "{replicas: [1], workers: [1], users: [1], spawn_rate: 10, duration: 1s, warmup: 0s, cooldown: 0s}\n";
/// The name of the cluster that kind creates alone.
const PLAIN_CLUSTER: &str = "locust-matrix-plain";

pub(super) async fn run(setup: &Setup, args: &Args) -> Result<(), Failure> {
    let matrix = setup.matrix("startup.yaml", MATRIX)?;
    let results = setup.folder.join("results");
    let mut out = vec!["pair  kind alone s  to first request s  ratio".to_owned()];
    let mut ratios = Vec::new();
    for pair in 1..=args.pairs {
        let plain = plain(setup).await?;
        let keep = pair == args.pairs;
        let run = setup.e2e(&results, &matrix, keep).await?;
        let first = run.to_first_request().ok_or_else(|| Failure::bug("the run has no record"))?;
        ratios.push(first / plain);
        out.push(format!("{pair:>4}  {plain:>12.1}  {first:>18.1}  {:>5.2}", first / plain));
    }
    out.push(format!("median ratio {:.2} (target 1.5, aim 1.3)", median(&ratios)));
    let kept = setup.e2e(&results, &matrix, true).await?.to_first_request().unwrap_or(f64::NAN);
    out.push(format!("on a kept cluster {kept:.1} s (target 6)"));
    let _ = writeln!(std::io::stdout(), "{}", out.join("\n"));
    Ok(())
}

/// Creates and deletes a cluster with nothing in it; returns the seconds that its creation takes.
async fn plain(setup: &Setup) -> Result<f64, Failure> {
    let folder = setup.folders.cluster(PLAIN_CLUSTER);
    let (kubeconfig, config) = (folder.join("kubeconfig"), folder.join("kind.yaml"));
    // With our folder mounted, so that `cleanup` finds the cluster if this program is killed.
    folders::create(&folder.join(owner_mount::FOLDER))?;
    folders::write(&config, owner_mount::kind_config(&folder).as_bytes())?;
    let kind = |words: &[&str]| {
        let command = kind_command().args(words.iter().copied()).args(["--name", PLAIN_CLUSTER]);
        command.arg("--kubeconfig").path(&kubeconfig).deadline(Duration::from_mins(5))
    };
    let begun = Instant::now();
    let create = kind(&["create", "cluster", "--wait", "120s", "--image", &setup.node_image]);
    let create = create.arg("--config").path(&config);
    let created = create.run(&setup.session).await;
    let took = begun.elapsed().as_secs_f64();
    let delete = kind(&["delete", "cluster"]).stop_policy(StopPolicy::Never);
    let deleted = delete.run(&setup.session).await;
    let next = "run it by hand: kind create cluster";
    created?.require_success(&setup.session, CLUSTER, next)?;
    let next = format!("kind delete cluster --name {PLAIN_CLUSTER}");
    deleted?.require_success(&setup.session, CLUSTER, next)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(took)
}
