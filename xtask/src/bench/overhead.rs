//! `cargo xtask bench overhead`: the time of a scenario besides its load, by what changes before it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::costs::{Change, Cost};
use super::median::median;
use super::setup::{CLUSTER_NAME, Setup};
use crate::failure::{CLUSTER, Failure, PREFLIGHT};
use crate::run::command::{Cmd, ShowOutput};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Another driver, which runs the same matrix on the same cluster. It is called as
    /// PROGRAM MASTER_URL REPLICAS WORKERS USERS DURATION COOLDOWN (needs kubectl)
    #[arg(long, value_name = "PROGRAM")]
    reference: Option<PathBuf>,
    /// Measured window of each scenario, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 8)]
    window: u32,
}

const HELP: &str = "\
Runs replicas 1,2,3 x workers 2,4 x users 10,20 on a new kind cluster. Prints the time of each
scenario without ramp, window and cooldown, by what has changed since the scenario before it.
Targets: 1 s if only the users change, 3 s if the replicas change, and 1 s more than Locust needs
to list its new workers if the workers grow. Takes about five minutes, nine with --reference.

Example:
      cargo xtask bench overhead --reference ./my_driver.py";

const REPLICAS: &str = "1,2,3";
const WORKERS: &str = "2,4";
const USERS: &str = "10,20";
const COOLDOWN: u32 = 5;

pub(super) async fn run(setup: &Setup, args: &Args) -> Result<(), Failure> {
    let text = format!(
        "{{replicas: [{REPLICAS}], workers: [{WORKERS}], users: [{USERS}], spawn_rate: 20, \
         duration: {}s, cooldown: {COOLDOWN}s}}\n",
        args.window
    );
    let matrix = setup.matrix("overhead.yaml", &text)?;
    let run = setup.e2e(&setup.folder.join("results"), &matrix, args.reference.is_some()).await?;
    let costs = run.costs(f64::from(COOLDOWN));
    let mut out = vec!["replicas workers users  change           overhead s".to_owned()];
    for Cost { scenario, change, overhead, .. } in &costs {
        let point = format!("{:>8} {:>7} {:>5}", scenario.replicas, scenario.workers, scenario.users);
        out.push(format!("{point}  {:<16} {overhead:>10.2}", label(*change)));
    }
    for (change, target) in
        [(Change::Users, Some(1.0)), (Change::Replicas, Some(3.0)), (Change::Workers, None)]
    {
        out.push(summary_line(&costs, change, target));
    }
    let all: f64 = costs.iter().map(|cost| cost.overhead).sum();
    out.push(format!("all scenarios: mean {:.2} s", all / costs.len().max(1) as f64));
    if let Some(program) = &args.reference {
        let output = reference(setup, program, args.window).await?;
        let last = output.lines().last().unwrap_or_default();
        out.push(format!("reference driver, same cluster and matrix: {last}"));
    }
    let _ = writeln!(std::io::stdout(), "{}", out.join("\n"));
    Ok(())
}

fn label(change: Change) -> &'static str {
    match change {
        Change::First => "(first)",
        Change::Users => "users only",
        Change::Workers => "workers grow",
        Change::Replicas => "replicas change",
    }
}

fn summary_line(costs: &[Cost], change: Change, target: Option<f64>) -> String {
    let of = |value: fn(&Cost) -> f64| -> Vec<f64> {
        costs.iter().filter(|cost| cost.change == change).map(value).collect()
    };
    let overheads = of(|cost| cost.overhead);
    let worst = overheads.iter().copied().fold(0.0, f64::max);
    let bound = match target {
        Some(target) => format!("target {target} s"),
        None => format!("target {:.2} s: Locust's listing + 1 s", median(&of(|cost| cost.listed)) + 1.0),
    };
    format!("{}: median {:.2} s, worst {worst:.2} s ({bound})", label(change), median(&overheads))
}

/// Runs the other driver with the same matrix, and returns its stdout.
async fn reference(setup: &Setup, program: &PathBuf, window: u32) -> Result<String, Failure> {
    let kubeconfig = setup.folders.cluster(CLUSTER_NAME).join("kubeconfig").display().to_string();
    let forward = PortForward::open(&kubeconfig).await?;
    // The numbers that were deployed, so that both drivers begin with the same change.
    for (deployment, replicas) in [("inference", "1"), ("locust-worker", "2")] {
        let scale = Cmd::new("kubectl")
            .args(["scale", "deployment", deployment, &format!("--replicas={replicas}")])
            .env("KUBECONFIG", &kubeconfig)
            .deadline(Duration::from_secs(30));
        scale.run(&setup.session).await?.require_success(
            &setup.session,
            CLUSTER,
            "check that the cluster still exists",
        )?;
    }
    let program = std::path::absolute(program).map_err(|error| Failure::file(program, "find", &error))?;
    let done = Cmd::new(program.display().to_string())
        .args([&forward.url, REPLICAS, WORKERS, USERS, &window.to_string(), &COOLDOWN.to_string()])
        .env("KUBECONFIG", &kubeconfig)
        .show(ShowOutput::All)
        .deadline(Duration::from_mins(15))
        .run(&setup.session)
        .await?;
    Ok(done
        .require_success(&setup.session, PREFLIGHT, "check that --reference is an executable program")?
        .stdout)
}

/// A port of this machine that is forwarded to Locust's master.
struct PortForward {
    url: String,
    forward: Child,
}

impl PortForward {
    async fn open(kubeconfig: &str) -> Result<Self, Failure> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| Failure::preflight(format!("no free port: {error}"), ""))?.port();
        let forward = Command::new("kubectl")
            .args(["port-forward", "deployment/locust-master", &format!("{port}:8089")])
            .env("KUBECONFIG", kubeconfig)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let forward = forward.map_err(|error| {
            Failure::preflight(format!("kubectl: {error}"), "install kubectl, which --reference needs")
        })?;
        let forward = Self { url: format!("http://127.0.0.1:{port}"), forward };
        let by = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if Instant::now() > by {
                let what = "`kubectl port-forward` does not listen";
                return Err(Failure::new(CLUSTER, what, "run it by hand with the cluster's kubeconfig"));
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(forward)
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        let _ = self.forward.kill();
        let _ = self.forward.wait();
    }
}
