//! `cargo xtask bench startup`: from nothing to the first request, beside a bare cluster.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::{Stage, median};
use crate::e2e::mark;
use crate::failure::{CLUSTER, Failure};
use crate::folders;
use crate::run::command::Cmd;
use crate::run::halt::Patience;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// How many pairs; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
}

const HELP: &str = "\
Each pair is `kind create cluster --wait` alone and then `cargo xtask e2e` from nothing, both with
everything built before. Target: at most 1.5 times as long (1.3 is aimed at), and at most 6 s to
the first request on a kept cluster. Three pairs take about five minutes.";

/// A load that is hardly one: what comes before it is measured.
const MATRIX: &str =
    "{replicas: [1], workers: [1], users: [1], spawn_rate: 10, duration: 1s, warmup: 0s, cooldown: 0s}\n";
/// The bare cluster.
const BARE: &str = "locust-matrix-bare";

pub(super) async fn run(stage: &Stage, args: &Args) -> Result<(), Failure> {
    let matrix = stage.matrix("startup.yaml", MATRIX)?;
    let results = stage.folder.join("results");
    let mut out = vec!["pair  kind alone s  to first request s  ratio".to_owned()];
    let mut ratios = Vec::new();
    for pair in 1..=args.pairs {
        let bare = bare(stage).await?;
        let keep = pair == args.pairs;
        let run = stage.e2e(&results, &matrix, keep).await?;
        let first = run.to_first_request().ok_or_else(|| Failure::bug("a run without a record"))?;
        ratios.push(first / bare);
        out.push(format!("{pair:>4}  {bare:>12.1}  {first:>18.1}  {:>5.2}", first / bare));
    }
    out.push(format!("median ratio {:.2} (target 1.5, aim 1.3)", median(&ratios)));
    let kept = stage.e2e(&results, &matrix, true).await?.to_first_request().unwrap_or(f64::NAN);
    out.push(format!("on a kept cluster {kept:.1} s (target 6)"));
    let _ = writeln!(std::io::stdout(), "{}", out.join("\n"));
    Ok(())
}

/// A cluster and nothing else; the time it takes, s.
async fn bare(stage: &Stage) -> Result<f64, Failure> {
    let folder = stage.folders.cluster(BARE);
    let (kubeconfig, config) = (folder.join("kubeconfig"), folder.join("kind.yaml"));
    // With the mark of ours, so that `cleanup` finds it after a kill.
    folders::create(&folder.join(mark::FOLDER))?;
    folders::write(&config, mark::config(&folder).as_bytes())?;
    let kind = |words: &[&str]| {
        let command = Cmd::new("kind").args(words.iter().copied()).args(["--name", BARE]);
        command.arg("--kubeconfig").path(&kubeconfig).deadline(Duration::from_mins(5))
    };
    let begun = Instant::now();
    let create = kind(&["create", "cluster", "--wait", "120s", "--image", &stage.node_image]);
    let create = create.arg("--config").path(&config);
    let created = create.run(&stage.session).await;
    let took = begun.elapsed().as_secs_f64();
    let delete = kind(&["delete", "cluster"]).patience(Patience::Never);
    let deleted = delete.run(&stage.session).await;
    let next = "see what is in its way: kind create cluster";
    created?.require(&stage.session, CLUSTER, next)?;
    let next = format!("kind delete cluster --name {BARE}");
    deleted?.require(&stage.session, CLUSTER, next)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(took)
}
