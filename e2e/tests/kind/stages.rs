//! The order in which the kept cluster's stages run, alone or side by side.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::Signal;

use e2e::required;
use e2e::tool::{Clock, Running, output_of, run, say, set_prefix};

use e2e::kind::{KeptCluster, LOCUST, deploy_arguments};

const INFERENCE: &str = "deployment/inference";
const MASTER: &str = "deployment/locust-master";
const WORKER: &str = "deployment/locust-worker";

/// One stage. It undoes its changes to the cluster, because the next stage uses the same namespace.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) run: fn(&KeptCluster),
}

/// Where a stage runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `default`, where the matrix is deployed, while nothing else runs: for stages that measure, or that
    /// other work on the machine would disturb.
    Alone,
    /// The same, but after everything else.
    Last,
    /// The stage has this namespace, and runs beside stages of other namespaces; those of the same namespace
    /// follow each other. For stages that mostly wait, or that check counts and no times.
    Beside(&'static str),
    /// As `Alone`, and only if it is named, because it takes minutes.
    OnlyIfNamed,
}

pub(crate) const EMPTY: &str = "team-c";
pub(crate) const CONFORMANCE: &str = "conformance";
pub(crate) const BUILDS: &str = "builds";
/// In all other namespaces, Locust and the stub are deployed before the first stage.
const NOT_DEPLOYED: [&str; 3] = [EMPTY, CONFORMANCE, BUILDS];

/// Runs the stages whose names contain one of the words in `E2E_STAGES`, or all of them; the last one always.
///
/// # Panics
/// If a stage fails: at once if it runs alone, else when its neighbours have ended.
pub(crate) fn run_stages(cluster: &KeptCluster, stages: &'static [Stage]) {
    let words = std::env::var("E2E_STAGES").unwrap_or_default();
    let is_chosen = |stage: &&Stage| {
        let is_named = words.split(',').any(|word| !word.is_empty() && stage.name.contains(word));
        is_named || stage.place == Place::Last || (words.is_empty() && stage.place != Place::OnlyIfNamed)
    };
    let (chosen, left_out): (Vec<&'static Stage>, Vec<_>) = stages.iter().partition(is_chosen);
    for stage in left_out {
        say(&format!("stage {name} ... left out; E2E_STAGES={name} runs it", name = stage.name));
    }
    let alone = |place: Place| {
        for stage in chosen.iter().filter(|stage| stage.place == place) {
            assert!(attempt(cluster, stage.name, stage.run), "stage {} failed: see above", stage.name);
        }
    };
    alone(Place::Alone);
    alone(Place::OnlyIfNamed);
    run_side_by_side(cluster, &chosen);
    alone(Place::Last);
}

/// One thread per namespace.
fn run_side_by_side(cluster: &KeptCluster, chosen: &[&'static Stage]) {
    let mut namespaces: Vec<(&'static str, Vec<&'static Stage>)> = Vec::new();
    for stage in chosen {
        let Place::Beside(namespace) = stage.place else { continue };
        match namespaces.iter_mut().find(|(name, _)| *name == namespace) {
            Some((_, stages)) => stages.push(stage),
            None => namespaces.push((namespace, vec![stage])),
        }
    }
    if namespaces.is_empty() {
        return;
    }
    make_room(cluster);
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let start = |(namespace, stages): (&'static str, Vec<&'static Stage>)| {
            let (deployed, until_deployed) = channel();
            let work = move || run_in_namespace(cluster, namespace, &stages, deployed);
            let thread = std::thread::Builder::new().name(namespace.to_owned()).spawn_scoped(scope, work);
            // The node has room for one deployment at a time whose requests are not yet lowered.
            let _ = until_deployed.recv();
            thread.unwrap()
        };
        let threads: Vec<_> = namespaces.into_iter().map(start).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "stages failed: {failed:?}: see above");
    scale(cluster, &[INFERENCE, MASTER], 1);
    scale(cluster, &[WORKER], 2);
    for deployment in [INFERENCE, MASTER, WORKER] {
        cluster.wait_for_rollout(deployment);
    }
}

/// Deploys with lowered requests, because the namespaces share a node. Drops `lowered` when they are.
fn deploy_small(cluster: &KeptCluster, lowered: Sender<()>) {
    let deployments = [INFERENCE, MASTER, WORKER];
    let mut deploying = Running::start(&mut cluster.driver(&deploy_arguments(LOCUST, &cluster.stub_image)));
    deploying.await_line("applied ", Duration::from_secs(30));
    // It would wait for pods with the requests of the manifests.
    deploying.signal(Signal::INT);
    let ended = deploying.finish();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    let lower = [&["set", "resources", "--requests=cpu=10m"], &deployments[..]].concat();
    output_of(&mut cluster.kubectl(&lower));
    drop(lowered);
    for deployment in deployments {
        cluster.wait_for_rollout(deployment);
    }
}

/// Lowers CPU requests, so that the node has room for one matrix in each namespace.
fn make_room(cluster: &KeptCluster) {
    scale(cluster, &[INFERENCE, MASTER, WORKER], 0);
    let dns = ["set", "resources", "deployment/coredns", "--requests=cpu=10m", "--namespace=kube-system"];
    output_of(&mut cluster.kubectl_without_namespace(&dns));
}

fn scale(cluster: &KeptCluster, deployments: &[&str], replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    output_of(&mut cluster.kubectl(&[&["scale", replicas.as_str()], deployments].concat()));
}

/// Runs stages one after the other in a namespace of their own. Returns the one that failed; those after it
/// are not run. Drops `deployed` when the namespace has a deployment with lowered requests, or needs none.
fn run_in_namespace(
    cluster: &KeptCluster,
    namespace: &'static str,
    stages: &[&Stage],
    deployed: Sender<()>,
) -> Option<&'static str> {
    set_prefix(&format!("[{namespace}] "));
    let own = cluster.create_namespace(namespace);
    let is_ready = if NOT_DEPLOYED.contains(&namespace) {
        drop(deployed);
        true
    } else {
        attempt(&own, "deploy", |own| deploy_small(own, deployed))
    };
    let failed = if is_ready {
        stages.iter().find(|stage| !attempt(&own, stage.name, stage.run)).map(|stage| stage.name)
    } else {
        Some("deploy")
    };
    output_of(&mut cluster.kubectl_without_namespace(&["delete", "namespace", namespace, "--wait=false"]));
    failed
}

/// Runs a stage, and keeps the evidence if it fails.
fn attempt(cluster: &KeptCluster, name: &str, stage: impl FnOnce(&KeptCluster)) -> bool {
    let _clock = Clock::start(&format!("stage {name}"));
    say(&format!("stage {name} …"));
    let succeeded = std::panic::catch_unwind(AssertUnwindSafe(|| stage(cluster))).is_ok();
    if !succeeded {
        keep_evidence(cluster, name);
    }
    say(&format!("stage {name} ... {}", if succeeded { "ok" } else { "FAILED" }));
    succeeded
}

/// Saves pods, events, logs and results before anything is cleaned up.
fn keep_evidence(cluster: &KeptCluster, stage: &str) {
    let failed = std::path::Path::new(&required("E2E_TARGET")).join("xtask-test").join("failed");
    let folder = failed.join(format!("{}-{stage}", cluster.namespace));
    let _ = std::fs::remove_dir_all(&folder);
    let logs = |label: &'static str| {
        ["logs", "--all-containers", "--prefix", "--ignore-errors", "--tail=2000", "-l", label].to_vec()
    };
    if let Err(error) = std::fs::create_dir_all(&folder) {
        say(&format!("stage {stage}: no evidence: {}: {error}", folder.display()));
        return;
    }
    for (file, arguments) in [
        ("pods-and-events.txt", vec!["get", "pods,events", "-o", "wide"]),
        ("describe-pods.txt", vec!["describe", "pods"]),
        ("describe-nodes.txt", vec!["describe", "nodes"]),
        ("logs-locust.txt", logs("app=locust")),
        ("logs-inference.txt", logs("app=inference")),
    ] {
        let ended = run(&mut cluster.kubectl(&arguments));
        let _ = std::fs::write(folder.join(file), ended.out + &ended.err);
    }
    let results = std::process::Command::new("cp")
        .args(["--recursive".as_ref(), cluster.folder.as_os_str(), folder.join("results").as_os_str()])
        .status();
    say(&format!("stage {stage}: pods, events, logs and results: {} ({results:?})", folder.display()));
}
